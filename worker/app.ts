/**
 * The app: every route and what stands in front of it. Reads from the outside in: log, headers, CORS, rate limit,
 * routes; whatever went wrong comes out as a problem.
 */
import { type Context, Hono } from "hono";
import { chat } from "./chat/routes.ts";
import { counter } from "./counter/routes.ts";
import type { App } from "./http/context.ts";
import { crossOrigin, safeHeaders, wellFormedUrl } from "./http/headers.ts";
import { health } from "./http/health.ts";
import { requestLog } from "./http/log.ts";
import { describe, openApi } from "./http/openapi.ts";
import { type Problem, problemResponse, Refusal } from "./http/problem.ts";
import { account } from "./ledger/routes.ts";
import { isOverloaded, isTransient } from "./objects/retry.ts";
import { title } from "./page/assets.gen.js";
import { page } from "./page/routes.ts";
import { rateLimit } from "./rate-limit/middleware.ts";
import { limit } from "./rate-limit/routes.ts";
import { session } from "./session/routes.ts";
import { stackOf } from "./stack.ts";

export const app = new Hono<App>()
  .use(requestLog, safeHeaders, crossOrigin, wellFormedUrl)
  .use("/counter/*", rateLimit({ policy: "counter", onUnavailable: "allow" }))
  .use("/room/*", rateLimit({ policy: "chat", onUnavailable: "allow" }))
  .use("/account/*", rateLimit({ policy: "account", onUnavailable: "deny" }))
  .use("/session/*", rateLimit({ policy: "session", onUnavailable: "deny" }))
  .use("/openapi.json", rateLimit({ policy: "default", onUnavailable: "allow" }))
  .route("/", page)
  .route("/", health)
  .route("/counter", counter)
  .route("/room", chat)
  .route("/account", account)
  .route("/session", session)
  .route("/limit", limit)
  .get("/openapi.json", describe("This document", { 200: "OpenAPI 3.1" }), (c) => {
    document ??= openApi(app, title, stackOf(c.env).release);
    return c.json(document);
  })
  .notFound((c) => {
    const allowed = methodsAt(c.req.path);
    if (allowed.length === 0) return ended(c, { kind: "not-found", detail: `There is nothing at ${c.req.path}` });
    const headers = { Allow: allowed.join(", ") };
    if (c.req.method === "OPTIONS") return c.body(null, 204, headers);
    const detail = `${c.req.path} does not take ${c.req.method}; it takes ${headers.Allow}`;
    return ended(c, { kind: "method-not-allowed", detail, headers });
  })
  .onError((error, c) => {
    if (error instanceof Refusal) return ended(c, error.problem);
    if (isTransient(error) || isOverloaded(error)) {
      return ended(c, {
        kind: "unavailable",
        detail:
          "The object cannot answer at the moment; try again in a few seconds. " +
          "A change that had no Idempotency-Key may have been made",
        headers: { "Retry-After": isOverloaded(error) ? "5" : "1" },
      });
    }
    console.error(JSON.stringify({ requestId: c.get("requestId"), error: error.stack ?? String(error) }));
    return ended(c, { kind: "internal", detail: `Something went wrong here; it is logged as ${c.get("requestId")}` });
  });

let document: object | undefined;

/** The answer to a request that ends with a problem. */
function ended(c: Context<App>, problem: Problem): Response {
  c.set("outcome", problem.kind);
  return problemResponse({ ...problem, fields: { ...c.get("problemFields"), ...problem.fields } });
}

/** The methods that some route takes at a path. */
function methodsAt(path: string): string[] {
  const takes = (method: string) => app.router.match(method, path)[0].some(([[, route]]) => route.method !== "ALL");
  const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"].filter(takes);
  return methods.includes("GET") ? ["GET", "HEAD", ...methods.slice(1)] : methods;
}
