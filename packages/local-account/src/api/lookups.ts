/** The Worker that a path names. Each form of the API has its own word for it, and its own refusal. */
import { ApiError, noSuchWorker } from "../errors.ts";
import type { State, Worker } from "../model.ts";
import { workerAt, workerNamed } from "../queries.ts";

/** Of `…/scripts/:script`. @throws ApiError 10007 if there is none. */
export function scriptAt(state: State, name: string): Worker {
  const worker = workerNamed(state, name);
  if (worker === undefined) throw noSuchWorker(name);
  return worker;
}

/** Of `…/workers/:worker`, by its id or its name. @throws ApiError 10007 if there is none. */
export function resourceAt(state: State, idOrName: string): Worker {
  const worker = workerAt(state, idOrName);
  if (worker === undefined) throw noSuchWorker(idOrName);
  return worker;
}

/** Of `…/services/:script`. @throws ApiError 10090 if there is none. */
export function serviceAt(state: State, name: string): Worker {
  const worker = workerNamed(state, name);
  if (worker === undefined) throw new ApiError(404, 10090, `This Worker does not exist on your account: ${name}`);
  return worker;
}
