/** A Worker as it is live: what serves, what can serve again, and what its deployments say. */
import type { Live, LiveClasses } from "@durable-stack/class-lifecycle";
import type { Schemas } from "../../../contract/release.ts";
import type { BindingRead, DeploymentRead, Reads, VersionRead, WorkerRead } from "../account/reads.ts";
import type { RegionTable } from "../rules/regions.ts";
import { floorOf, schemasInUse } from "../rules/schema.ts";
import { lastToArriveFirst } from "./arrival.ts";
import { changedByOthers, changedInTags } from "./changed-by-others.ts";
import { withNamesOf } from "./earlier-schemas.ts";
import { sinceLastChange } from "./last-change.ts";
import { beginsWithout, deployedLast, isWayBack, pinnedBy, refusedBy } from "./messages.ts";
import { isOurs, servedLast, servedSince } from "./ours.ts";
import {
  classesIn,
  classesOf,
  type KnownDeployment,
  type LiveVersion,
  liveVersion,
  recordOf,
  regionsOf,
  type ServingVersion,
  servingVersion,
} from "./version.ts";

/** A Worker as Cloudflare knows it now. */
export interface LiveWorker extends Live {
  /** Cloudflare's id of it; undefined where it does not exist. */
  readonly id: string | undefined;
  /** The release that serves, by its digest; undefined: none of ours. */
  readonly digest: string | undefined;
  /** The release that this program deployed last, by its digest; undefined: none. */
  readonly deployed: string | undefined;
  /** Since when it has served that release to everybody without a break; undefined: it does not. */
  readonly servedSince: string | undefined;
  /** Versions that serve, the newest deployment's: the one that is rolled out first, the stable one last. */
  readonly serving: readonly ServingVersion[];
  /** What served when only versions of ours did; as `serving` where something else has deployed nothing, or all. */
  readonly servedLast: readonly ServingVersion[];
  /** Region tables that the objects were named by: of `servedLast`. */
  readonly regions: readonly RegionTable[];
  /** All its versions, the newest first. */
  readonly versions: readonly LiveVersion[];
  /** The deployment that is in force. */
  readonly deployment: (KnownDeployment & { readonly createdOn: string | undefined }) | undefined;
  /** The SQL schemas that objects may have by now: the newest of each class that was in a deployment. */
  readonly schemas: Schemas;
  /** Number of the first version since the classes changed, with code for these schemas: a rollback may not go below it. */
  readonly rollbackFloor: number | undefined;
  /** Number of the version with which something else changed the classes last: no earlier one can serve again. */
  readonly changedByOthers: number | undefined;
  /** Number of the version that the last deployment of this program says it is pinned to; undefined: it says nothing. */
  readonly pinned: number | undefined;
  /** Whether that pin is the way back from a refused release. */
  readonly pinIsWayBack: boolean;
  /** Releases that its deployments say to refuse, by the first 12 digits of their digests. */
  readonly refused: readonly string[];
  /** Bindings of other Workers to this one's classes. */
  readonly references: readonly { readonly className: string; readonly worker: string }[];
}

const NOTHING: LiveWorker = {
  id: undefined,
  digest: undefined,
  deployed: undefined,
  servedSince: undefined,
  classes: undefined,
  complete: true,
  step: undefined,
  serving: [],
  versions: [],
  deployment: undefined,
  servedLast: [],
  regions: [],
  schemas: {},
  rollbackFloor: undefined,
  changedByOthers: undefined,
  pinned: undefined,
  pinIsWayBack: false,
  refused: [],
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

  const deployments = await reads.deployments(workerName);
  const [newest] = deployments;
  if (!newest) return { ...NOTHING, id: worker.id };
  const versions = await Promise.all(newest.versions.map(({ versionId }) => reads.version(worker.id, versionId)));
  // Versions that share a deployment agree on their classes (API error 100405), so the first one speaks for both.
  const [first] = versions;
  if (!first) return { ...NOTHING, id: worker.id };

  const recorded = recordOf(first.bindings);
  // A version that another tool deployed with `migrations` lists no classes, so its namespaces are read too.
  const namespaces = recorded ? undefined : await reads.namespaces(workerName);
  const all = await reads.versions(worker.id);
  // If another tool deployed over our release, the last recorded step still holds, as long as its classes agree.
  const standing = recorded ?? all.map(({ bindings }) => recordOf(bindings)).find((record) => record !== undefined);
  const known = all.map(liveVersion);
  const digests = new Map(known.map(({ versionId, digest }) => [versionId, digest]));
  // What something else has made of a version of ours has its bindings, and is no release.
  const ours = new Map(known.filter(isOurs).map(({ versionId, digest }) => [versionId, digest]));
  const messages = deployments.map(({ message }) => message);
  return {
    id: worker.id,
    digest: recorded?.digest,
    deployed: deployedLast(deployments, known),
    servedSince: recorded && servedSince(deployments, ours, recorded.digest),
    classes: namespaces ? classesIn(namespaces, first.exports) : classesOf(first.exports),
    complete: recorded !== undefined || namespaces !== undefined || Object.keys(first.exports).length > 0,
    step: standing && { name: standing.migration, history: standing.history },
    versions: known,
    deployment: { id: newest.id, createdOn: newest.createdOn, source: newest.source, message: newest.message },
    ...traffic(versions, known, deployments),
    ...wayBack(all, known, deployments, standing?.migration),
    pinned: pinnedBy(messages),
    pinIsWayBack: isWayBack(messages),
    refused: refusedByDeployments(deployments, digests),
    references: referencesTo(worker, first),
  };
}

/** What serves, what did when only versions of ours did, and by which region tables objects are named. */
function traffic(
  versions: readonly VersionRead[],
  known: readonly LiveVersion[],
  deployments: readonly DeploymentRead[],
): Pick<LiveWorker, "serving" | "servedLast" | "regions"> {
  const shares = (deployments[0]?.versions ?? []).flatMap(({ versionId, percentage }) => {
    const version = versions.find(({ id }) => id === versionId);
    return version ? [servingVersion(liveVersion(version), percentage)] : [];
  });
  const serving = lastToArriveFirst(shares, deployments);
  // The objects keep the names that our last release gave them, whatever serves over it.
  const last = servedLast(deployments, known);
  if (!last) return { serving, servedLast: serving, regions: versions.flatMap(regionsOf) };
  const before = last.map(({ version, percentage }) => servingVersion(version, percentage));
  return {
    serving,
    servedLast: lastToArriveFirst(before, deployments),
    regions: last.flatMap(({ version }) => regionsOf(version)),
  };
}

/** How far back a rollback may go. `step`: the last step of the history that stands. */
function wayBack(
  all: readonly VersionRead[],
  known: readonly LiveVersion[],
  deployments: readonly DeploymentRead[],
  step: string | undefined,
): Pick<LiveWorker, "schemas" | "rollbackFloor" | "changedByOthers"> {
  const declaring = new Map(
    all.map((version) => [version.id, { ...liveVersion(version), classes: classesOf(version.exports) }]),
  );
  const alike = sinceLastChange([...declaring.values()], step);
  const isAlike = new Set(alike.map(({ versionId }) => versionId));
  const earlier = known.filter((version) => isOurs(version) && !isAlike.has(version.versionId));
  const deployed = deployments.flatMap(({ versions }) => versions);
  const schemas = schemasInUse(alike, deployed, withNamesOf(alike, earlier));
  const floor = floorOf(alike, schemas);
  const seen = changedByOthers(
    deployments.map(({ versions }) => versions.flatMap(({ versionId }) => declaring.get(versionId) ?? [])),
  );
  const changed = Math.max(seen ?? 0, changedInTags(known) ?? 0) || undefined;
  const begun = all.find(({ annotations }) => beginsWithout(annotations?.workersMessage))?.number;
  return { schemas, rollbackFloor: floor && Math.max(floor, changed ?? 0, begun ?? 0), changedByOthers: changed };
}

/** Releases that the deployments say to refuse. `digests`: of versions by their ids. */
const refusedByDeployments = (
  deployments: readonly DeploymentRead[],
  digests: ReadonlyMap<string, string | undefined>,
): readonly string[] =>
  refusedBy(
    deployments.map(({ message, versions }) => ({
      message,
      serves: versions.map(({ versionId, percentage }) => ({ digest: digests.get(versionId), percentage })),
    })),
  );

/** Bindings of other Workers to this one's classes. */
const referencesTo = ({ name, references }: WorkerRead, { bindings }: VersionRead): LiveWorker["references"] =>
  references.durableObjects.map(({ namespaceId, namespaceName, workerName: worker }) => ({
    worker,
    className:
      bindings.find((binding) => binding.namespaceId === namespaceId)?.className ??
      namespaceName.slice(namespaceName.startsWith(`${name}_`) ? name.length + 1 : 0),
  }));

/** One Worker alone, as it is live. */
export const readWorker = async (reads: Reads, workerName: string): Promise<LiveWorker> =>
  readLive(await listWorkers(reads), workerName);

/** The version with an id; undefined: it has none such. */
export const versionOf = ({ versions }: LiveWorker, id: string | undefined): LiveVersion | undefined =>
  versions.find(({ versionId }) => versionId === id);

/** The bindings of the versions that serve. */
export const servingBindings = (live: LiveWorker): readonly BindingRead[] =>
  live.serving.flatMap(({ versionId }) => versionOf(live, versionId)?.bindings ?? []);

/** Other Workers by name, as they are live; one that does not exist is not in the map. */
export async function readOthers(workers: Workers, names: Iterable<string>): Promise<ReadonlyMap<string, LiveWorker>> {
  const existing = [...new Set(names)].filter((name) => workers.list.some((worker) => worker.name === name));
  return new Map(await Promise.all(existing.map(async (name) => [name, await readLive(workers, name)] as const)));
}

/** The classes that another Worker serves, and no more of it: none where it does not exist or was never deployed. */
export async function readClasses({ reads, list }: Workers, workerName: string): Promise<LiveClasses> {
  const worker = list.find(({ name }) => name === workerName);
  const [newest] = worker?.deployedOn ? await reads.deployments(workerName) : [];
  // Versions that share a deployment agree on their classes.
  const [share] = newest?.versions ?? [];
  return worker && share ? classesOf((await reads.version(worker.id, share.versionId)).exports) : new Map();
}
