/**
 * The app: every route, and the middleware in front of it. Read it from the outside in: log, headers, CORS, rate limit,
 * routes. Every error is answered as a problem. The patterns' part follows from worker/patterns.ts.
 */
import type { Context } from "hono";
import { charge } from "./http/charge.ts";
import type { App, Limiter, Sessions } from "./http/context.ts";
import { crossOrigin, safeHeaders, wellFormedUrl } from "./http/headers.ts";
import { health } from "./http/health.ts";
import { Hono } from "./http/hono.ts";
import { requestLog } from "./http/log.ts";
import { guardedRoutes } from "./http/may.ts";
import { describe, openApi, sends } from "./http/openapi.ts";
import { type Problem, problemResponse, Refusal, refusal } from "./http/problem.ts";
import { damageIn, isOverloaded, isTransient } from "./objects/retry.ts";
import { title } from "./page/assets.gen.js";
import { page } from "./page/routes.ts";
import type { Limit, PatternFacts } from "./pattern.ts";
import { type PatternFolder, patterns } from "./patterns.ts";
import { stackOf } from "./stack.ts";

interface Parts<Folder extends string> {
  /** Each pattern's routes, by its folder. */
  readonly routes: Record<Folder, Hono>;
  /** The sessions that make callers users, if the project has the session pattern. */
  readonly sessions?: Sessions;
  /** The rate limiter in front of the routes, if the project has the rate-limit pattern. */
  readonly limiter?: Limiter;
}

/** The limit of the paths that are no pattern's. */
const DEFAULT: Limit = { policy: "default", onUnavailable: "allow" };

/** The Worker's app, made of the patterns' routes. */
export const appOf = (parts: Parts<PatternFolder>): Hono => appWith(patterns, parts);

/** The app of any list of patterns: tests of what all routes share bring a pattern of their own. */
export function appWith<Folder extends string>(
  list: readonly (PatternFacts & { readonly folder: Folder })[],
  { routes, sessions, limiter }: Parts<Folder>,
): Hono {
  const app = new Hono().use(requestLog, safeHeaders, crossOrigin, wellFormedUrl);
  app.use((c, next) => {
    c.set("sessions", sessions);
    c.set("limiter", limiter);
    return next();
  });
  const limited = (path: string, limit: Limit | undefined) => {
    if (limiter && limit) app.use(path, limiter(limit));
  };
  for (const { path, limit } of list) limited(`${path}/*`, limit);
  limited("/openapi.json", DEFAULT);

  app.route("/", page).route("/", health);
  for (const { folder, path } of list) {
    // `npm run check` names them too.
    const unguarded = guardedRoutes(routes[folder]).filter(({ action }) => action === undefined);
    for (const route of unguarded) app.on(route.method, path + route.path, nobodyMay);
    app.route(path, routes[folder]);
  }
  let document: object | undefined;
  app.get("/openapi.json", describe("This document", { 200: sends("OpenAPI 3.1", "application/json") }), (c) => {
    document ??= openApi(app, title, stackOf(c.env).release);
    return c.json(document);
  });

  return app
    .notFound(async (c) => {
      // A path without a route costs as much as any other.
      if (!c.get("charged")) await charge(c, DEFAULT);
      const allowed = methodsAt(app, c.req.path);
      if (allowed.length === 0) return ended(c, { kind: "not-found", detail: `There is nothing at ${c.req.path}` });
      const headers = { Allow: allowed.join(", ") };
      if (c.req.method === "OPTIONS") return c.body(null, 204, headers);
      const detail = `${c.req.path} does not take ${c.req.method}; it takes ${headers.Allow}`;
      return ended(c, { kind: "method-not-allowed", detail, headers });
    })
    .onError(answerTo);
}

/** The answer to a request whose handler threw. A bug is logged; the caller learns only the request id. */
function answerTo(error: Error, c: Context<App>): Response {
  if (error instanceof Refusal) return ended(c, error.problem);
  if (isTransient(error) || isOverloaded(error)) {
    return ended(c, {
      kind: "unavailable",
      detail:
        "The object cannot answer at the moment; try again in a few seconds. " +
        "A change that had no Idempotency-Key may have been made",
      ...(isOverloaded(error) && { headers: { "Retry-After": "5" } }),
    });
  }
  console.error(JSON.stringify({ requestId: c.get("requestId"), error: error.stack ?? String(error) }));
  const damage = damageIn(error);
  if (damage !== undefined) return ended(c, { kind: "damaged", detail: damage });
  return ended(c, { kind: "internal", detail: `Something went wrong here; it is logged as ${c.get("requestId")}` });
}

/** Answers with a problem, and notes its kind for the log. */
function ended(c: Context<App>, problem: Problem): Response {
  c.set("outcome", problem.kind);
  return problemResponse({ ...problem, fields: { ...c.get("problemFields"), ...problem.fields } });
}

function nobodyMay(): never {
  throw refusal("forbidden", "This route names no action, so nobody may call it (docs/access.md)");
}

/** The methods that the routes at a path take. */
function methodsAt(app: Hono, path: string): string[] {
  const takes = (method: string) => app.router.match(method, path)[0].some(([[, route]]) => route.method !== "ALL");
  const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"].filter(takes);
  return methods.includes("GET") ? ["GET", "HEAD", ...methods.slice(1)] : methods;
}
