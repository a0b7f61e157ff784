/** What most kinds have in common: how an answer becomes the state, and how it is read, by one request. */
import type { Extra } from "./api.ts";
import type { Kind } from "./kind.ts";
import { fromWire } from "./names.ts";
import { made, type Properties, refreshed } from "./values.ts";

/** The state after a request that made the resource from `inputs`, or changed it to them. */
export const stateAfter = (answer: Properties, inputs: Properties): Properties => made(fromWire(answer), inputs);

/** Reads what is at a path, which the state and the id say. `extraOf`: what the request says besides. */
export const readAt =
  (pathOf: (state: Properties, id: string) => string, extraOf?: (state: Properties) => Extra): Kind["read"] =>
  async ({ api }, id, prior) => {
    const result = await api.find(pathOf(prior, id), extraOf?.(prior));
    return result && refreshed(prior, fromWire(result));
  };
