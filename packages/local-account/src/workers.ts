/** Creates, renames and removes Workers with everything that belongs to them. A refusal throws before the commit. */
import { now } from "./clock.ts";
import { ApiError } from "./errors.ts";
import { newTag } from "./ids.ts";
import type { Binding, State, Worker } from "./model.ts";
import { boundBy, boundToService, namespacesOf, versionsOf, workerNamed } from "./queries.ts";
import type { Draft } from "./store.ts";
import { consumersOf } from "./tail-consumers.ts";

/** @throws ApiError if the name is not valid, or another Worker has it. */
function refuseName(state: State, name: string): void {
  if (!/^[a-z0-9_][a-z0-9_-]{0,62}$/.test(name))
    throw new ApiError(
      400,
      10016,
      `Invalid Worker name '${name}': it must be 1 to 63 lower-case letters, digits, '-' or '_', and not begin with '-'.`,
    );
  if (workerNamed(state, name) !== undefined)
    throw new ApiError(409, 10040, `A Worker named '${name}' exists on your account already.`);
}

/** The settings of a Worker for which none were sent. */
export const WORKER_DEFAULTS = {
  logpush: false,
  observability: { enabled: false, head_sampling_rate: 1 },
  subdomain: { enabled: false, previews_enabled: false },
  tags: [],
  tailConsumers: [],
} as const;

/** A Worker as `POST …/workers` and a first upload make it. */
export function createWorker(draft: Draft, name: string, settings: Partial<Worker> = {}): Worker {
  refuseName(draft.state, name);
  const createdOn = now();
  return draft.put("workers", {
    id: newTag(),
    name,
    createdOn,
    updatedOn: createdOn,
    deployedOn: null,
    ...WORKER_DEFAULTS,
    schedules: [],
    versionCount: 0,
    migrationTag: null,
    usesExports: false,
    lifecycleFloor: 0,
    ...settings,
  });
}

/**
 * Renames the Worker. Its versions, deployments and namespaces refer to its id, and stay; its routes, domains and what
 * refers to itself follow. Refused while another Worker refers to the old name.
 */
export function renameWorker(draft: Draft, worker: Worker, name: string): Worker {
  if (name === worker.name) return worker;
  const { state } = draft;
  refuseName(state, name);
  const holding = heldBy(state, worker);
  if (holding.length > 0)
    throw new ApiError(
      501,
      10021,
      `name: the local account does not rename '${worker.name}' while other Workers name it in their bindings, transfers or tail consumers (${holding.join(", ")}).`,
    );
  for (const route of state.routes.values())
    if (route.script === worker.name) draft.put("routes", { ...route, script: name });
  for (const domain of state.domains.values())
    if (domain.service === worker.name) draft.put("domains", { ...domain, service: name });
  for (const version of versionsOf(state, worker.id))
    if (version.bindings.some(refersTo(worker.name)))
      draft.put("versions", {
        ...version,
        bindings: version.bindings.map((binding) => renamedIn(binding, worker.name, name)),
      });
  return draft.put("workers", { ...worker, name, tailConsumers: renamedAmong(worker, name) });
}

/** The tail consumers of a Worker that may be one itself. If it is not, the list is the same one: it is no change. */
const renamedAmong = (worker: Worker, after: string): Worker["tailConsumers"] =>
  consumersOf(worker).includes(worker.name)
    ? worker.tailConsumers.map((consumer) => ({
        ...consumer,
        ...(consumer.name === worker.name && { name: after }),
        ...(consumer.service === worker.name && { service: after }),
      }))
    : worker.tailConsumers;

/** Whether a binding is to the Worker of this name, or to a class of it. */
const refersTo =
  (name: string) =>
  ({ service, script_name }: Binding): boolean =>
    service === name || script_name === name;

/** A binding after its Worker got another name. */
const renamedIn = (binding: Binding, before: string, after: string): Binding => ({
  ...binding,
  ...(binding.service === before && { service: after }),
  ...(binding.script_name === before && { script_name: after }),
});

/**
 * The names of other Workers that name this one in a binding of any version or as a tail consumer, or wait for a class
 * of it.
 */
function heldBy(state: State, { id, name }: Worker): string[] {
  const holders = [
    ...[...state.versions.values()].filter(({ bindings }) => bindings.some(refersTo(name))),
    ...[...state.transfers.values()].filter(({ from }) => from === name),
  ];
  const watched = [...state.workers.values()].filter((worker) => consumersOf(worker).includes(name));
  const ids = new Set([...holders.map(({ workerId }) => workerId), ...watched.map((worker) => worker.id)]);
  ids.delete(id);
  return [...ids].flatMap((holder) => state.workers.get(holder)?.name ?? []).sort();
}

/**
 * Removes the Worker with all that is its own: versions, deployments, namespaces, transfers, consumers of queues,
 * workflows, routes and domains. Refused (10064) without `force` while a queue or another Worker needs it.
 */
export function deleteWorker(draft: Draft, worker: Worker, force: boolean): void {
  const queues = force ? [] : consumedBy(draft.state, worker);
  if (queues.length > 0)
    throw new ApiError(
      400,
      10064,
      `'${worker.name}' cannot be deleted: it is still in use as a consumer for a queue (${queues.join(", ")}). Remove it there first; force=true deletes it anyway.`,
    );
  const blocking = force ? [] : dependents(draft.state, worker);
  if (blocking.length > 0)
    throw new ApiError(
      400,
      10064,
      `'${worker.name}' cannot be deleted: other Workers depend on it (${blocking.join(", ")}). force=true deletes it anyway.`,
    );
  const { state } = draft;
  for (const { id } of versionsOf(state, worker.id)) draft.delete("versions", id);
  for (const { id, workerId } of state.deployments.values())
    if (workerId === worker.id) draft.delete("deployments", id);
  for (const { id } of namespacesOf(state, worker.id)) draft.delete("namespaces", id);
  for (const { id, workerId } of state.transfers.values()) if (workerId === worker.id) draft.delete("transfers", id);
  for (const { id, workerId } of state.consumers.values()) if (workerId === worker.id) draft.delete("consumers", id);
  for (const { id, workerId } of state.workflows.values()) if (workerId === worker.id) draft.delete("workflows", id);
  for (const { id, script } of state.routes.values()) if (script === worker.name) draft.delete("routes", id);
  for (const { id, service } of state.domains.values()) if (service === worker.name) draft.delete("domains", id);
  draft.delete("workers", worker.id);
}

/** The names of the queues whose messages a Worker gets. */
const consumedBy = (state: State, worker: Worker): string[] =>
  [...state.consumers.values()]
    .filter(({ workerId }) => workerId === worker.id)
    .flatMap(({ queueId }) => state.queues.get(queueId)?.name ?? []);

/** The names of other Workers that bind to this one or to its classes. */
function dependents(state: State, worker: Worker): string[] {
  const names = new Set([
    ...namespacesOf(state, worker.id).flatMap(({ className, id }) => boundBy(state, worker, className, id)),
    ...boundToService(state, worker).map(({ name }) => name),
  ]);
  return [...names].sort();
}
