/** What is live in the stack's account, asked of Cloudflare through the provider's data sources. */
import * as cloudflare from "@pulumi/cloudflare";
import * as v from "valibot";
import type { Storage } from "./lifecycle/history.ts";
import type { Live } from "./lifecycle/plan.ts";
import type { LiveClass, LiveClasses } from "./lifecycle/replay.ts";
import type { Serving } from "./lifecycle/traffic.ts";

/** A Worker as Cloudflare knows it now. */
export interface LiveWorker extends Live {
  /** Versions that serve, the newest deployment's. */
  readonly serving: readonly Serving[];
  /** Number of the first version with the step that is live: a rollback may not go below it. */
  readonly rollbackFloor: number | undefined;
  /** Bindings of other Workers to this one's classes. */
  readonly references: readonly { readonly className: string; readonly worker: string }[];
}

/** What a release writes into the binding RELEASE of its version, and reads back from a live one. */
const Recorded = v.object({ digest: v.string(), migration: v.string(), history: v.string() });

const NOTHING: LiveWorker = {
  classes: undefined,
  step: undefined,
  serving: [],
  rollbackFloor: undefined,
  references: [],
};

/** The Workers of an account. */
export interface Workers {
  readonly accountId: string;
  readonly list: cloudflare.GetWorkersResult["results"];
}

/** All Workers of an account, asked once for everything that is read of them after. */
export async function listWorkers(accountId: string): Promise<Workers> {
  const { results } = await cloudflare.getWorkers({ accountId });
  return { accountId, list: results };
}

/** What serves under a Worker's name; a Worker that does not exist, or was never deployed, serves nothing. */
export async function readLive({ accountId, list }: Workers, workerName: string): Promise<LiveWorker> {
  const worker = list.find(({ name }) => name === workerName);
  if (!worker?.deployedOn) return NOTHING;

  const { results: lists } = await cloudflare.getWorkersDeployments({ accountId, scriptName: workerName });
  const newest = lists.flatMap(({ deployments }) => deployments)[0];
  if (!newest) return NOTHING;
  const versions = await Promise.all(
    newest.versions.map(({ versionId }) => cloudflare.getWorkerVersion({ accountId, workerId: worker.id, versionId })),
  );
  // Versions that share a deployment agree on their classes (API error 100405), so the first one speaks for both.
  const [first] = versions;
  if (!first) return NOTHING;

  const recorded = recordOf(first.bindings);
  const { results: all } = await cloudflare.getWorkerVersions({ accountId, workerId: worker.id });
  const sameStep = all.filter(({ bindings }) => recorded && recordOf(bindings)?.migration === recorded.migration);
  return {
    classes: classesOf(first.exports),
    step: recorded && { name: recorded.migration, history: recorded.history },
    serving: newest.versions.map(({ versionId, percentage }) => ({
      versionId,
      percentage,
      tag: versions.find(({ id }) => id === versionId)?.annotations?.workersTag || undefined,
    })),
    rollbackFloor: sameStep.length ? Math.min(...sameStep.map(({ number }) => number)) : undefined,
    references: worker.references.durableObjects.map(({ namespaceId, namespaceName, workerName: other }) => ({
      worker: other,
      className:
        first.bindings.find((binding) => binding.namespaceId === namespaceId)?.className ??
        namespaceName.slice(namespaceName.startsWith(`${workerName}_`) ? workerName.length + 1 : 0),
    })),
  };
}

/** The live classes of other Workers, by the Worker's name; one that does not exist is not in the map. */
export async function readClassesOf(
  workers: Workers,
  names: Iterable<string>,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const existing = [...new Set(names)].filter((name) => workers.list.some((worker) => worker.name === name));
  const live = await Promise.all(existing.map((name) => readLive(workers, name)));
  return new Map(existing.map((name, i) => [name, new Set(live[i]?.classes?.keys())]));
}

/** What the version's release recorded, or undefined when none of ours made it. */
function recordOf(
  bindings: readonly { readonly name: string; readonly json: string }[] | undefined,
): v.InferOutput<typeof Recorded> | undefined {
  const binding = bindings?.find(({ name }) => name === "RELEASE");
  if (!binding?.json) return undefined;
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), Recorded), binding.json);
  return parsed.success ? parsed.output : undefined;
}

function classesOf(exports: cloudflare.GetWorkerVersionResult["exports"] | undefined): LiveClasses {
  return new Map(
    Object.entries(exports ?? {})
      .filter(([, entry]) => entry.type === "durable-object")
      .map(([name, entry]): [string, LiveClass] => [
        name,
        { storage: storageOf(entry.storage), ...(entry.transferFrom && { fromWorker: entry.transferFrom }) },
      ]),
  );
}

const storageOf = (storage: string): Storage => (storage === "legacy-kv" ? "legacy-kv" : "sqlite");
