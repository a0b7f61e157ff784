/** What the destruction of a stack takes with it, read from its state and its account. */

import { UserError } from "../common/user-error.ts";
import type { Properties } from "../provider/values.ts";
import { LOGICAL } from "../stack/declared.ts";
import { engineResources, knownOf, mustBeInAccount } from "../stack/engine-file.ts";
import type { OpenStack } from "../stack/open.ts";
import { pullOf } from "../stack/pull-stack.ts";
import type { ObjectCount, Reads } from "./account/reads.ts";
import { bindersOf } from "./claims/own-worker.ts";
import { type DestroyPlan, destroyPlan } from "./destroy-plan.ts";
import { awaitedFrom } from "./live/transfers.ts";
import { type LiveWorker, listWorkers, readLive } from "./live/worker.ts";
import type { Known } from "./state/known.ts";
import { notDeclared, notInState } from "./storage/in-state.ts";
import { isEmpty, isGone } from "./storage/kinds.ts";

export interface Destruction extends DestroyPlan {
  /** Whether the state has what is gone from the account. */
  readonly isBehind: boolean;
  /** How many resources of the state go with it, whether or not the account has them. */
  readonly inState: number;
}

/** Reads the state and the account; sends nothing. @throws UserError where the state has no Worker and the account has, or it is of another account. */
export async function destructionOf({ name, settings, reads }: OpenStack): Promise<Destruction> {
  const resources = engineResources(name);
  mustBeInAccount(resources, settings);
  const known = knownOf(resources);
  const worker = known.get("Worker", LOGICAL.worker);
  // By its id: the name that it has now, whatever the state says.
  const workers = await listWorkers(reads);
  const there = workers.list.find(({ id, name: called }) =>
    worker ? id === worker.id : called === settings.workerName,
  );
  // Where the account does not have it either, a destruction was interrupted after it.
  if (!worker && there) {
    throw new UserError(
      `The state of ${name} has no Worker: \`pulumi destroy\` would leave it in the account. Where the state was lost: npm run recover -- --stack ${name}`,
    );
  }
  const live = await readLive(workers, there?.name ?? settings.workerName);
  const awaited = there ? await awaitedFrom(workers, there.name, live.classes) : [];
  const inState = { kv: known.get("WorkersKvNamespace", LOGICAL.reads), bucket: known.get("R2Bucket", LOGICAL.blobs) };
  const kv = await held(inState.kv, "kv", reads);
  const bucket = await held(inState.bucket, "r2", reads);
  const extra = await extraStorage(known, reads);
  // The provider fails to delete a bucket that is gone, so the state is refreshed first. Not always: a refresh reads the
  // built release as long as the state has its version. An interrupted destruction has deleted that before any storage.
  const isBehind =
    (inState.kv && !kv) ||
    (inState.bucket && !bucket) ||
    extra.length < notDeclared(known, []).length ||
    (worker && !there);
  const plan = destroyPlan({
    stack: name,
    workerName: there?.name,
    objects: there ? await objectsOf(there.name, live, reads) : new Map(),
    kv: kv && { title: String(kv.title), isEmpty: await reads.kvIsEmpty(String(kv.id)) },
    bucket: bucket && { name: String(bucket.name), isEmpty: await reads.bucketIsEmpty(String(bucket.name)) },
    storage: extra,
    // An update of a pull request's stack that was killed may have left some, and all of it goes with `npm run pr`.
    notInState: pullOf(name) === undefined ? await notInState({ settings, reads, known, live }) : [],
    boundBy: there ? bindersOf(there) : [],
    awaited,
    isProtected: resources.flatMap(({ urn, protect }) => (protect ? (urn.split("::").at(-1) ?? urn) : [])),
  });
  const going = resources.filter(({ urn, retainOnDelete }) => isOfCloudflare(urn) && !retainOnDelete);
  return { ...plan, isBehind: Boolean(isBehind), inState: going.length };
}

/** Whether a resource is in the account or in one of its zones, by its type; else the state alone has it. */
const isOfCloudflare = (urn: string): boolean =>
  urn.split("::")[2]?.split("$").at(-1)?.startsWith("cloudflare:") ?? false;

/** Objects by class. Where no namespaces can be listed, the classes are those of what serves; undefined: it names none. */
async function objectsOf(
  workerName: string,
  { classes, complete }: LiveWorker,
  reads: Reads,
): Promise<ReadonlyMap<string, ObjectCount | undefined> | undefined> {
  const namespaces = await reads.namespaces(workerName);
  if (namespaces) {
    const counts = namespaces.map(async ({ id, class: name }) => [name ?? id, await reads.objects(id)] as const);
    return new Map(await Promise.all(counts));
  }
  return complete ? new Map([...(classes?.keys() ?? [])].map((name) => [name, undefined])) : undefined;
}

/** A resource of storage, where the account still has it: a destruction that was killed may not have noted that it went. */
async function held(outputs: Properties | undefined, kind: "kv" | "r2", reads: Reads): Promise<Properties | undefined> {
  if (!outputs) return undefined;
  return (await isGone({ kind }, reads, String(kind === "r2" ? outputs.name : outputs.id))) ? undefined : outputs;
}

/** What the state has for bindings of wrangler.jsonc, and the account, too. */
async function extraStorage(known: Known, reads: Reads) {
  const all = await Promise.all(
    notDeclared(known, []).map(async ({ kind, what, name, id, jurisdiction }) => {
      const where = { kind, jurisdiction };
      if (await isGone(where, reads, id)) return [];
      return [{ kind, what, name, isEmpty: await isEmpty(where, reads, id) }];
    }),
  );
  return all.flat();
}
