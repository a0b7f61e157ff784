/** The names in workerd of what the state has. */
import type { State, Version, Worker } from "../model.ts";
import { servingVersions } from "../queries.ts";

/** The account's own Worker in workerd. No client can give a Worker this name. */
export const INTERNAL = "account:internal";

/** The name of the service that runs requests to a version. */
export const serviceName = (state: State, worker: Worker, version: Version): string => {
  const serving = servingVersions(state, worker.id);
  return serving.length === 1 && serving[0]?.version.id === version.id ? worker.name : `${worker.name}@${version.id}`;
};

/** The name of the service that runs the Worker's objects. */
export const objectsName = (state: State, worker: Worker): string =>
  servingVersions(state, worker.id).length > 1 ? `${worker.name}@objects` : worker.name;

/** The name of the service with only a version's assets. */
export const assetsName = (worker: Worker, version: Version): string => `${worker.name}@${version.id}:assets`;

/** Whether a service has all of its Worker's traffic: no preview, no side of a split. */
export const servesAlone = ({ name }: { readonly name: string }): boolean => !name.includes("@");

/** The name under which Miniflare keeps a bucket's objects. No bucket has a name with a dot, so no two share it. */
export const bucketDirectory = (key: string) => key.replace(":", ".");
