/** What is live in the stack's account, as the planner needs it. */

import type { Live, LiveClass, LiveClasses } from "@durable-stack/class-lifecycle";
import { storageOf } from "@durable-stack/class-lifecycle";
import * as v from "valibot";
import type { KnownDeployment, KnownVersion } from "./drift.ts";
import type { BindingRead, NamespaceRead, Reads, VersionRead, WorkerRead } from "./reads.ts";
import type { RegionTable } from "./regions.ts";
import type { Serving } from "./traffic.ts";

/** A version that serves. */
export interface ServingVersion extends Serving {
  /** Digest of its release; undefined: none of ours. */
  readonly digest: string | undefined;
}

/** A version, whether it serves or not. */
export interface LiveVersion extends KnownVersion {
  /** The last step of its release's history; undefined: none of ours. */
  readonly step: string | undefined;
  readonly createdOn: string | undefined;
  readonly bindings: readonly BindingRead[];
}

/** A Worker as Cloudflare knows it now. */
export interface LiveWorker extends Live {
  /** Cloudflare's id of it; undefined where it does not exist. */
  readonly id: string | undefined;
  /** The release that serves, by its digest; undefined: none of ours. */
  readonly digest: string | undefined;
  /** Versions that serve, the newest deployment's. */
  readonly serving: readonly ServingVersion[];
  /** Region tables of the versions that serve, or of our last one where they have none. */
  readonly regions: readonly RegionTable[];
  /** All its versions, the newest first. */
  readonly versions: readonly LiveVersion[];
  /** The deployment that is in force. */
  readonly deployment: KnownDeployment | undefined;
  /** Number of the first version with the step that is live: a rollback may not go below it. */
  readonly rollbackFloor: number | undefined;
  /** Bindings of other Workers to this one's classes. */
  readonly references: readonly { readonly className: string; readonly worker: string }[];
}

/** What a release writes into the binding RELEASE of its version, and reads back from a live one. */
const Recorded = v.object({ digest: v.string(), migration: v.string(), history: v.string() });

/** The part of the binding REGIONS that names of objects are made of. */
const Regions = v.object({
  environmentPrefix: v.string(),
  home: v.string(),
  regions: v.array(v.object({ id: v.string(), prefix: v.string(), jurisdiction: v.optional(v.string()) })),
});

const NOTHING: LiveWorker = {
  id: undefined,
  digest: undefined,
  classes: undefined,
  complete: true,
  step: undefined,
  serving: [],
  versions: [],
  deployment: undefined,
  regions: [],
  rollbackFloor: undefined,
  references: [],
};

/** An account and its Workers, which are listed once for everything that is read of them after. */
export interface Workers {
  readonly reads: Reads;
  readonly list: readonly WorkerRead[];
}

export const listWorkers = async (reads: Reads): Promise<Workers> => ({ reads, list: await reads.workers() });

/** What serves under a Worker's name; a Worker that does not exist, or was never deployed, serves nothing. */
export async function readLive({ reads, list }: Workers, workerName: string): Promise<LiveWorker> {
  const worker = list.find(({ name }) => name === workerName);
  if (!worker?.deployedOn) return { ...NOTHING, id: worker?.id };

  const [newest] = await reads.deployments(workerName);
  if (!newest) return { ...NOTHING, id: worker.id };
  const versions = await Promise.all(newest.versions.map(({ versionId }) => reads.version(worker.id, versionId)));
  // Versions that share a deployment agree on their classes (API error 100405), so the first one speaks for both.
  const [first] = versions;
  if (!first) return { ...NOTHING, id: worker.id };

  const recorded = recordOf(first.bindings);
  // Only what something else deployed has to be looked at below its version: with `migrations`, that lists no classes.
  const namespaces = recorded ? undefined : await reads.namespaces(workerName);
  const all = await reads.versions(worker.id);
  // What something else has deployed over a release of ours stands where that release stood, if its classes say so too.
  const standing = recorded ?? all.map(({ bindings }) => recordOf(bindings)).find((record) => record !== undefined);
  const sameStep = all.filter(({ bindings }) => standing && recordOf(bindings)?.migration === standing.migration);
  // The objects keep the names that our last release gave them, whatever serves over it.
  const tables = versions.flatMap(regionsOf);
  return {
    id: worker.id,
    digest: recorded?.digest,
    classes: namespaces ? classesIn(namespaces) : classesOf(first.exports),
    complete: recorded !== undefined || namespaces !== undefined || Object.keys(first.exports).length > 0,
    step: standing && { name: standing.migration, history: standing.history },
    serving: newest.versions.flatMap(({ versionId, percentage }) => {
      const version = versions.find(({ id }) => id === versionId);
      if (!version) return [];
      const { number, annotations, bindings } = version;
      return { versionId, percentage, number, tag: annotations?.workersTag, digest: recordOf(bindings)?.digest };
    }),
    versions: all.map(liveVersion),
    deployment: { id: newest.id, source: newest.source, message: newest.annotations?.workersMessage },
    regions: tables.length ? tables : all.flatMap(regionsOf).slice(0, 1),
    rollbackFloor: sameStep.length ? Math.min(...sameStep.map(({ number }) => number)) : undefined,
    references: worker.references.durableObjects.map(({ namespaceId, namespaceName, workerName: other }) => ({
      worker: other,
      className:
        first.bindings.find((binding) => binding.namespaceId === namespaceId)?.className ??
        namespaceName.slice(namespaceName.startsWith(`${workerName}_`) ? workerName.length + 1 : 0),
    })),
  };
}

/** One Worker alone, as it is live. */
export const readWorker = async (reads: Reads, workerName: string): Promise<LiveWorker> =>
  readLive(await listWorkers(reads), workerName);

function liveVersion({ id, number, createdOn, source, annotations, bindings }: VersionRead): LiveVersion {
  const record = recordOf(bindings);
  const tag = annotations?.workersTag;
  return { versionId: id, number, tag, digest: record?.digest, step: record?.migration, createdOn, source, bindings };
}

/** Other Workers by name, as they are live; one that does not exist is not in the map. */
export async function readOthers(workers: Workers, names: Iterable<string>): Promise<ReadonlyMap<string, LiveWorker>> {
  const existing = [...new Set(names)].filter((name) => workers.list.some((worker) => worker.name === name));
  return new Map(await Promise.all(existing.map(async (name) => [name, await readLive(workers, name)] as const)));
}

/** The stack that a version was made for, as its SETTINGS binding says; undefined: it does not. */
export const environmentOf = (bindings: readonly BindingRead[]): string | undefined =>
  jsonOf(bindings, "SETTINGS", v.object({ environment: v.string() }))?.environment;

/** What the version's release recorded, or undefined when none of ours made it. */
const recordOf = (bindings: readonly BindingRead[]) => jsonOf(bindings, "RELEASE", Recorded);

/** The region table of a version of ours; none of another one. */
const regionsOf = ({ bindings }: VersionRead) => jsonOf(bindings, "REGIONS", Regions) ?? [];

/** The value of a `json` binding; undefined where there is none, or another value than `schema` wants. */
function jsonOf<Output>(
  bindings: readonly BindingRead[],
  name: string,
  schema: v.GenericSchema<unknown, Output>,
): Output | undefined {
  const binding = bindings.find((candidate) => candidate.name === name);
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), binding?.json);
  return parsed.success ? parsed.output : undefined;
}

/** The classes that have a namespace. */
const classesIn = (namespaces: readonly NamespaceRead[]): LiveClasses =>
  new Map(
    namespaces.flatMap(({ class: name, useSqlite }): [string, LiveClass][] =>
      name === undefined ? [] : [[name, { storage: useSqlite ? "sqlite" : "legacy-kv" }]],
    ),
  );

function classesOf(exports: VersionRead["exports"]): LiveClasses {
  return new Map(
    Object.entries(exports)
      .filter(([, entry]) => entry.type === "durable-object")
      .map(([name, entry]): [string, LiveClass] => [
        name,
        { storage: storageOf(entry.storage), ...(entry.transferFrom && { fromWorker: entry.transferFrom }) },
      ]),
  );
}
