/** Finds the Worker's routes by loading the Worker, so that the table comes from the code that checks the rules. */
import { join } from "node:path";
import * as v from "valibot";
import { access } from "../../worker/access.ts";
import { patterns } from "../../worker/patterns.ts";
import type { Action } from "../../worker/who.ts";
import { UserError } from "../common/user-error.ts";
import { readWorkerConfig } from "../release/worker-config.ts";
import { loadWorker } from "./load.ts";

/** A route of a pattern. */
export interface Route {
  readonly folder: string;
  readonly method: string;
  /** With parameters: `/room/:roomId/ws`. */
  readonly path: string;
  /** `chat.join`, with its rule; undefined where the route names none. */
  readonly action?: { readonly name: string; readonly rule: Action } | undefined;
}

/** As much of the Worker as is read. */
const Loaded = v.object({ default: v.unknown(), guardedRoutes: v.function() });
/** The app, whatever handlers it has beside. */
const App = v.object({ routes: v.array(v.unknown()) });
const Guarded = v.array(v.object({ method: v.string(), path: v.string(), action: v.optional(v.string()) }));

/**
 * The routes of all patterns of the project at `root`, in their order.
 * @throws UserError where the Worker's default export is not the app.
 */
export async function routesOf(root: string): Promise<readonly Route[]> {
  const config = readWorkerConfig(join(root, "wrangler.jsonc"));
  const { default: app, guardedRoutes } = v.parse(Loaded, await loadWorker(root, config));
  if (!v.is(App, app)) {
    throw new UserError(
      "The default export of worker/index.ts is not the app, so its routes cannot be found. Handlers of other events go onto it: `export default Object.assign(appOf({ … }), { scheduled, queue })` (docs/wrangler-file.md#other-events-than-requests).",
    );
  }
  return v.parse(Guarded, guardedRoutes(app)).flatMap(({ action: name, ...route }): Route[] => {
    const { path } = route;
    const folder = patterns.find((pattern) => path === pattern.path || path.startsWith(`${pattern.path}/`))?.folder;
    if (folder === undefined) return [];
    const rule = name === undefined ? undefined : access.get(name);
    return [{ folder, ...route, ...(name !== undefined && rule && { action: { name, rule } }) }];
  });
}
