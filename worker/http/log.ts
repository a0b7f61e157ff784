/**
 * The request log: one line of JSON per request. It names the route, and the object's class and region, never the caller:
 * no ids, no tokens, no query. (Cloudflare's own line of the same request has its whole address: docs/security.md.)
 * `class` is the pattern's name, as in the names of its objects: `chat`, not `ChatRoomDO`. To find a line, search for the
 * answer's `X-Request-Id`.
 */
import type { Context, MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import type { App } from "./context.ts";
import { addHeaders } from "./headers.ts";

export const requestLog: MiddlewareHandler<App> = async (c, next) => {
  const requestId = c.req.header("CF-Ray") ?? crypto.randomUUID();
  c.set("requestId", requestId);
  const start = performance.now();
  await next();
  if (c.res.status !== 101) addHeaders(c, { "X-Request-Id": requestId });
  const object = c.get("object");
  console.log(
    JSON.stringify({
      requestId,
      method: c.req.method,
      route: routeOf(c),
      status: c.res.status,
      outcome: c.get("outcome") ?? (c.res.status < 400 ? "ok" : "refused"),
      ...(object && { class: object.pattern, region: object.region }),
      durationMs: Math.round(performance.now() - start),
    }),
  );
};

/** The route that the request matched: `/room/:roomId/messages`. */
function routeOf(c: Context<App>): string {
  return matchedRoutes(c).findLast(({ method }) => method !== "ALL")?.path ?? "none";
}
