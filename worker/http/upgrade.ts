/** WebSocket upgrades: other requests get 426, and foreign pages cannot use a visitor's cookie. */
import type { Context, MiddlewareHandler } from "hono";
import type { App } from "./context.ts";
import { isAllowedOrigin } from "./headers.ts";
import { refusal } from "./problem.ts";

/** The subprotocols that a client offers, in the client's order. */
export const offeredProtocols = (c: Context<App>): readonly string[] =>
  c.req
    .header("Sec-WebSocket-Protocol")
    ?.split(",")
    .map((protocol) => protocol.trim()) ?? [];

export const upgrade: MiddlewareHandler<App> = async (c, next) => {
  if (c.req.header("Upgrade")?.toLowerCase() !== "websocket") {
    throw refusal("upgrade-required", "Expected WebSocket upgrade", { headers: { Upgrade: "websocket" } });
  }
  // Browsers do not apply CORS to WebSockets, but always send the origin. Other clients need not.
  const origin = c.req.header("Origin");
  if (origin !== undefined && !isAllowedOrigin(c, origin)) {
    throw refusal("forbidden", "Pages of this origin may not connect; the stack's corsOrigins lists those that may");
  }
  await next();
};
