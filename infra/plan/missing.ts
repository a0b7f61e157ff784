/** Storage that is gone though a Worker is bound to it. */
import type { Finding } from "@durable-stack/class-lifecycle";
import { refreshing } from "./advice.ts";
import type { Known } from "./known.ts";
import { type LiveWorker, servingBindings } from "./live.ts";
import type { Reads } from "./reads.ts";

export interface Asking {
  readonly stack: string;
  readonly isPinned: boolean;
  readonly known: Known | undefined;
}

/** Storage that the serving versions are bound to, and that is gone. */
export async function missingResources(
  reads: Reads,
  live: LiveWorker,
  { stack, isPinned, known }: Asking,
): Promise<readonly Finding[]> {
  const bound = new Map(servingBindings(live).map((binding) => [binding.name, binding]));
  const missing = await Promise.all(
    [...bound.values()].map(async (binding) => ((await reads.boundExists(binding)) === false ? [binding] : [])),
  );
  return missing.flat().map(({ name, type, namespaceId, bucketName, id, databaseId }) => ({
    code: "bound_resource_missing",
    subject: name,
    message: `the ${type === "r2_bucket" ? "bucket" : type === "d1" ? "D1 database" : "KV namespace"} ${bucketName ?? namespaceId ?? id ?? databaseId} that the live Worker is bound to does not exist any more.`,
    fix: `what was in it is gone with it. Find out who deleted it, and put back first what can be put back (a bucket under the same name); ${refreshing({ stack }, known)} makes anew what is missing, empty.${
      // A new one has another id, and no version changes.
      isPinned && type !== "r2_bucket"
        ? ` The version that the stack is pinned to cannot be deployed again without it: \`npm run rollback -- --stack ${stack} --unpin\` makes it anew, for the release.`
        : ""
    }`,
  }));
}
