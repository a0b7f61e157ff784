/** Tail consumers: the Workers whose `tail` handler gets what another Worker logs. Pure. */
import { ApiError } from "./errors.ts";
import type { State, Worker } from "./model.ts";
import { workerNamed } from "./queries.ts";

/** The names of the Worker's tail consumers. The newer API calls them `name`, the older one `service`. */
export const consumersOf = ({ tailConsumers }: Worker): string[] =>
  tailConsumers.flatMap(({ name, service }) => name ?? service ?? []);

/** @throws ApiError 10203 if a change names a Worker that does not exist. One that was deleted since may stay named. */
export function checkConsumers(state: State, previous: State): void {
  for (const worker of state.workers.values()) {
    if (worker.tailConsumers === previous.workers.get(worker.id)?.tailConsumers) continue;
    for (const name of consumersOf(worker))
      if (workerNamed(state, name) === undefined)
        throw new ApiError(
          400,
          10203,
          `Tail Worker '${name}' does not exist on this account. Check the Worker name and try again.`,
        );
  }
}
