/** How most kinds read their resource: by one request, for a path that its state and its id say. */
import type { Extra } from "./api.ts";
import type { Kind } from "./kind.ts";
import { fromWire } from "./names.ts";
import { type Properties, refreshed } from "./values.ts";

/** Reads what is at a path. `extraOf`: what the request says besides. */
export const readAt =
  (pathOf: (state: Properties, id: string) => string, extraOf?: (state: Properties) => Extra): Kind["read"] =>
  async ({ api }, id, prior) => {
    const result = await api.find(pathOf(prior, id), extraOf?.(prior));
    return result && refreshed(prior, fromWire(result));
  };
