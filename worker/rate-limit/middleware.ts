import type { MiddlewareHandler } from "hono";
import type { App } from "../app.ts";

export interface RateLimitOptions {
  /** A policy of the stack's `rateLimits`; `default` where the stack has none of that name. */
  policy: string;
  /** What happens when the limiter itself cannot answer. */
  onUnavailable: "allow" | "deny";
}

/** Placeholder: lets everything pass. */
export function rateLimit(_: RateLimitOptions): MiddlewareHandler<App> {
  return (_c, next) => next();
}
