/** Storage that is gone though a Worker is bound to it. */
import type { StorageKind, StorageOfStack } from "../../stack/extras.ts";
import { listLine, unpinLine } from "../../stack/traffic-lines.ts";
import type { BindingRead, Reads } from "../account/reads.ts";
import { type LiveWorker, servingBindings } from "../live/worker.ts";
import type { Finding } from "../rules/codes.ts";
import { refreshing } from "../state/advice.ts";
import type { Known } from "../state/known.ts";
import { KINDS, targetOf } from "./kinds.ts";

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
  return (await goneOf(reads, servingBindings(live))).map(({ binding, kind, what }) => ({
    code: "bound_resource_missing",
    subject: binding,
    message: `the ${what} that the live Worker is bound to does not exist any more.`,
    fix: `what was in it is gone with it. Find out who deleted it, and put back first what can be put back (a bucket under the same name); ${refreshing({ stack }, known)} makes anew what is missing, empty.${
      // A new one has another id, and no version changes.
      isPinned && kind !== "r2"
        ? ` The version that the stack is pinned to cannot be deployed again without it: \`${unpinLine(stack)}\` makes it anew, for the release.`
        : ""
    }`,
  }));
}

/**
 * Storage that a version is bound to which is to serve again, and that is gone: Cloudflare deploys no such version. A bucket
 * that the release asks for, too, is made anew under its name.
 */
export async function missingOfPin(
  reads: Reads,
  { serving, versions }: Pick<LiveWorker, "serving" | "versions">,
  {
    stack,
    pin,
    storage,
  }: { readonly stack: string; readonly pin: number; readonly storage: readonly StorageOfStack[] },
): Promise<readonly Finding[]> {
  const version = versions.find(({ number }) => number === pin);
  if (!version || serving.some(({ versionId }) => versionId === version.versionId)) return [];
  const isMade = ({ kind, binding }: Gone) =>
    kind === "r2" && storage.some((one) => one.kind === "r2" && one.binding === binding);
  const gone = await goneOf(reads, version.bindings);
  return gone
    .filter((one) => !isMade(one))
    .map(({ binding, what }) => ({
      code: "pin_storage_missing",
      subject: `pin ${pin}`,
      message: `version ${pin} is bound to the ${what} as ${binding}, which does not exist any more, and Cloudflare deploys no such version.`,
      fix: `choose another version (\`${listLine(stack)}\`), or roll a release forward that mends it.`,
    }));
}

/** A binding whose storage does not exist any more. */
interface Gone {
  readonly binding: string;
  readonly kind: StorageKind;
  /** Kind and id of the storage, in words. */
  readonly what: string;
}

/** The bindings among them whose storage does not exist any more, each once. */
async function goneOf(reads: Reads, bindings: readonly BindingRead[]): Promise<readonly Gone[]> {
  const byName = new Map(bindings.map((binding) => [binding.name, binding]));
  const gone = await Promise.all(
    [...byName.values()].map(async (binding): Promise<readonly Gone[]> => {
      const target = targetOf(binding);
      if (!target) return [];
      const { kind, id } = target;
      if ((await reads.storageExists(kind, id, binding.jurisdiction)) !== false) return [];
      return [{ binding: binding.name, kind, what: `${KINDS[kind].what} ${id}` }];
    }),
  );
  return gone.flat();
}
