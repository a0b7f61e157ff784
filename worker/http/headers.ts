/** Middleware for every request: security headers, the cross-origin allow-list, and the check of the URL's encoding. */
import type { Context, MiddlewareHandler } from "hono";
import { stackOf } from "../stack.ts";
import type { App } from "./context.ts";
import { refusal } from "./problem.ts";

const SAFE = { "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer" };
const UNCACHED = { ...SAFE, "Cache-Control": "no-store" };
const PREFLIGHT_MAX_AGE_SECONDS = 600;
/** What a page of another origin may send, besides the headers that are always allowed. */
const MAY_SEND = "Authorization, Content-Type, Idempotency-Key, X-API-Key, If-Match, If-None-Match, If-Range, Range";
/** What it may read of an answer, besides those that are always allowed. */
const MAY_READ =
  "Retry-After, RateLimit, RateLimit-Policy, X-RateLimit-Limit, X-RateLimit-Remaining, Idempotent-Replayed, X-Request-Id, ETag, Content-Range, Content-Disposition, Ledger-Next";

/**
 * Adds headers to an answer that is made already, in place. Hono's `c.header` would copy the whole answer for each. An
 * answer whose headers are fixed, such as one of `fetch`, is copied once. Call it only if the status is not 101.
 */
export function addHeaders(c: Context<App>, headers: Readonly<Record<string, string>>): void {
  try {
    setAll(c.res.headers, headers);
  } catch {
    c.res = new Response(c.res.body, c.res);
    setAll(c.res.headers, headers);
  }
}

function setAll(target: Headers, headers: Readonly<Record<string, string>>): void {
  for (const name in headers) target.set(name, headers[name] ?? "");
}

/** Adds the headers of every answer. The page adds its Content-Security-Policy and caching (page/routes.ts). */
export const safeHeaders: MiddlewareHandler<App> = async (c, next) => {
  await next();
  if (c.res.status === 101) return; // the answer to an upgrade has no room for headers
  addHeaders(c, c.res.headers.has("Cache-Control") ? SAFE : UNCACHED);
  // Whether an answer has CORS headers depends on the origin, also where it has none.
  c.res.headers.append("Vary", "Origin");
};

/** Whether pages of this origin may call: the Worker's own origin, and those of the stack's config. */
export function isAllowedOrigin(c: Context<App>, origin: string): boolean {
  return origin === new URL(c.req.url).origin || stackOf(c.env).settings.corsOrigins.includes(origin);
}

/** CORS by the allow-list. Other origins get no CORS headers, so browsers hide the answer from their pages. */
export const crossOrigin: MiddlewareHandler<App> = async (c, next) => {
  const origin = c.req.header("Origin");
  if (origin === undefined || !isAllowedOrigin(c, origin)) return next();
  if (c.req.method === "OPTIONS" && c.req.header("Access-Control-Request-Method")) {
    return c.body(null, 204, {
      ...corsHeaders(origin),
      "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
      "Access-Control-Allow-Headers": MAY_SEND,
      "Access-Control-Max-Age": String(PREFLIGHT_MAX_AGE_SECONDS),
    });
  }
  await next();
  if (c.res.status !== 101) addHeaders(c, corsHeaders(origin));
};

const corsHeaders = (origin: string) => ({
  "Access-Control-Allow-Origin": origin,
  "Access-Control-Allow-Credentials": "true",
  "Access-Control-Expose-Headers": MAY_READ,
});

/** Refuses (400) URLs with percent-encoding that is not UTF-8, because Hono would pass it on undecoded. */
export const wellFormedUrl: MiddlewareHandler<App> = async (c, next) => {
  if (!c.req.url.includes("%")) return next();
  const { pathname, search } = new URL(c.req.url);
  try {
    decodeURIComponent(pathname + search);
  } catch {
    throw refusal("invalid-input", "The URL has percent-encoding that is not UTF-8");
  }
  await next();
};
