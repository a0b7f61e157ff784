/** Look-ups in a state that several files need. Pure. */
import type { Consumer, Deployment, Namespace, Queue, State, Version, Worker, Workflow } from "./model.ts";

const only = <T>(values: Iterable<T>, matches: (value: T) => boolean): T[] => [...values].filter(matches);

export const workerNamed = (state: State, name: string): Worker | undefined =>
  [...state.workers.values()].find((worker) => worker.name === name);

/** A Worker by its id or its name: paths of the API may have either. */
export const workerAt = (state: State, idOrName: string): Worker | undefined =>
  state.workers.get(idOrName) ?? workerNamed(state, idOrName);

/** A Worker's versions, newest first. */
export const versionsOf = (state: State, workerId: string): Version[] =>
  only(state.versions.values(), (version) => version.workerId === workerId).sort((a, b) => b.number - a.number);

/** A Worker's deployments, newest first. */
export const deploymentsOf = (state: State, workerId: string): Deployment[] =>
  only(state.deployments.values(), (deployment) => deployment.workerId === workerId).reverse();

/** The deployment that is in force. */
export const currentDeployment = (state: State, workerId: string): Deployment | undefined =>
  deploymentsOf(state, workerId)[0];

/** The serving versions, the one with the most traffic first. */
export const servingVersions = (state: State, workerId: string): { version: Version; percentage: number }[] =>
  (currentDeployment(state, workerId)?.versions ?? [])
    .toSorted((a, b) => b.percentage - a.percentage)
    .flatMap(({ version_id, percentage }) => {
      const version = state.versions.get(version_id);
      return version === undefined ? [] : [{ version, percentage }];
    });

export const namespacesOf = (state: State, workerId: string): Namespace[] =>
  only(state.namespaces.values(), (namespace) => namespace.workerId === workerId);

export const namespaceOf = (state: State, workerId: string, className: string): Namespace | undefined =>
  [...state.namespaces.values()].find((ns) => ns.workerId === workerId && ns.className === className);

/**
 * The names of other Workers whose serving versions bind to the namespace; without an id, to a class of this name in
 * this Worker.
 */
export function boundBy(state: State, worker: Worker, className: string, namespaceId?: string): string[] {
  const names = [...state.workers.values()]
    .filter(({ id }) => id !== worker.id)
    .filter(({ id }) =>
      servingVersions(state, id).some(({ version }) =>
        version.bindings.some(
          (binding) =>
            binding.type === "durable_object_namespace" &&
            ((namespaceId !== undefined && binding.namespace_id === namespaceId) ||
              (binding.script_name === worker.name && binding.class_name === className)),
        ),
      ),
    )
    .map(({ name }) => name);
  return names.sort();
}

/** The other Workers whose serving versions bind to this one as a service. */
export const boundToService = (state: State, worker: Worker): Worker[] =>
  only(
    state.workers.values(),
    ({ id }) =>
      id !== worker.id &&
      servingVersions(state, id).some(({ version }) =>
        version.bindings.some(({ type, service }) => type === "service" && service === worker.name),
      ),
  );

/** Whether the version has Durable Objects of its own: it binds to a class of its own Worker, or declares one. */
export const ownsClasses = ({ exports, bindings }: Version): boolean =>
  Object.values(exports ?? {}).some(({ type }) => type === "durable-object") ||
  bindings.some(({ type, script_name }) => type === "durable_object_namespace" && script_name === undefined);

/** A Worker by its id. @throws Error if there is none. */
export function workerOf(state: State, id: string): Worker {
  const worker = state.workers.get(id);
  if (worker === undefined) throw new Error(`there is no Worker ${id}`);
  return worker;
}

/** A version by its id. @throws Error if there is none. */
export function versionOf(state: State, id: string): Version {
  const version = state.versions.get(id);
  if (version === undefined) throw new Error(`there is no version ${id}`);
  return version;
}

export const queueNamed = (state: State, name: string): Queue | undefined =>
  [...state.queues.values()].find((queue) => queue.name === name);

/** The consumer of a queue. It has at most one. */
export const consumerOf = (state: State, queueId: string): Consumer | undefined =>
  [...state.consumers.values()].find((consumer) => consumer.queueId === queueId);

/** The names of the Workers whose serving versions send to the queue. */
export const producersOf = (state: State, name: string): string[] =>
  [...state.workers.values()]
    .filter(({ id }) =>
      servingVersions(state, id).some(({ version }) =>
        version.bindings.some(({ type, queue_name }) => type === "queue" && queue_name === name),
      ),
    )
    .map((worker) => worker.name);

export const workflowNamed = (state: State, name: string): Workflow | undefined =>
  [...state.workflows.values()].find((workflow) => workflow.name === name);
