/**
 * Finds the Worker's routes by loading the Worker, so that the table comes from the code that checks the rules. Until
 * a request comes, that code needs nothing of the Workers runtime but a class to extend.
 */
import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as v from "valibot";
import { access } from "../../worker/access.ts";
import { patterns } from "../../worker/patterns.ts";
import type { Action } from "../../worker/who.ts";

/** A route of a pattern. */
export interface Route {
  readonly folder: string;
  readonly method: string;
  /** With parameters: `/room/:roomId/ws`. */
  readonly path: string;
  /** `chat.join`, with its rule; undefined where the route names none. */
  readonly action?: { readonly name: string; readonly rule: Action } | undefined;
}

/** As much of the Worker's modules as is read. */
const Entry = v.object({ default: v.unknown() });
const May = v.object({ guardedRoutes: v.function() });
const Guarded = v.array(v.object({ method: v.string(), path: v.string(), action: v.optional(v.string()) }));

const module = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;
/** What a Worker may extend. */
const CLASSES = ["DurableObject", "RpcTarget", "WorkerEntrypoint", "WorkflowEntrypoint"];
const STAND_INS: readonly (readonly [end: string, url: string])[] = [
  [
    "cloudflare:workers",
    module(`${CLASSES.map((name) => `export class ${name} {};`).join("")}
      export const env = {}, exports = {}, waitUntil = () => {}, withEnv = () => {};`),
  ],
  // Made by a build; nothing of it matters here.
  ["/assets.gen.js", module("export const title = ''; export const page = {}, later = {};")],
];

/** The routes of all patterns of the project at `root`, in their order. */
export async function routesOf(root: string): Promise<readonly Route[]> {
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      const stand = STAND_INS.find(([end]) => specifier.endsWith(end));
      return stand ? { url: stand[1], shortCircuit: true } : next(specifier, context);
    },
  });
  try {
    const load = (file: string) => import(pathToFileURL(join(root, "worker", file)).href);
    const { default: app } = v.parse(Entry, await load("index.ts"));
    const { guardedRoutes } = v.parse(May, await load("http/may.ts"));
    return v.parse(Guarded, guardedRoutes(app)).flatMap(({ action: name, ...route }): Route[] => {
      const { path } = route;
      const folder = patterns.find((pattern) => path === pattern.path || path.startsWith(`${pattern.path}/`))?.folder;
      if (folder === undefined) return [];
      const rule = name === undefined ? undefined : access.get(name);
      return [{ folder, ...route, ...(name !== undefined && rule && { action: { name, rule } }) }];
    });
  } finally {
    hooks.deregister();
  }
}
