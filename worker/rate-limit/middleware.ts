/**
 * The rate limiter as middleware. `rateLimit({ policy: "account", onUnavailable: "deny" })` before a route lets a
 * caller pass while the caller's bucket has tokens, and adds to every answer how many are left.
 */
import type { Context, MiddlewareHandler } from "hono";
import type { App } from "../http/context.ts";
import { addHeaders } from "../http/headers.ts";
import { documented } from "../http/openapi.ts";
import { Refusal, refusal } from "../http/problem.ts";
import type { Place } from "../objects/names.ts";
import type { Limit } from "../pattern.ts";
import { bucketOf, bucketOfAddress } from "./caller.ts";
import { affordable, check, type NamedPolicy, policyOf } from "./check.ts";
import { limitHeaders, seconds } from "./headers.ts";
import type { Verdict } from "./verdict.ts";

export interface RateLimitOptions extends Limit {
  /** Chooses the bucket that pays. By default as in caller.ts. */
  key?: (c: Context<App>) => Place | Promise<Place>;
  /**
   * Tokens that a request costs; 1 by default. A number over the capacity takes a full bucket; if a function says so, the
   * caller asked for too much (400).
   */
  cost?: number | ((c: Context<App>) => number);
}

export function rateLimit(options: RateLimitOptions): MiddlewareHandler<App> {
  const { policy: name, cost = 1, onUnavailable } = options;
  return documented(
    async function rateLimit(c, next) {
      c.set("charged", true);
      const policy = policyOf(c, name);
      const price = affordable(typeof cost === "number" ? Math.min(cost, policy.capacity) : cost(c), policy);
      const payer = await payerOf(c, options);
      const verdict = await check(c, "take", { policy, caller: payer, cost: price });
      if (!verdict && onUnavailable === "deny") throw unavailable();
      if (verdict?.allowed === false) throw denied(policy, verdict);
      await next();
      // The answer to a WebSocket upgrade takes no headers, and a route that asks about a bucket has set its own.
      if (!verdict || c.res.status === 101 || c.res.headers.has("RateLimit")) return;
      addHeaders(c, limitHeaders(policy.name, policy, verdict));
    },
    () => ({ responses: { 429: { description: "Too many requests; Retry-After says when to come back" } } }),
  );
}

/** The bucket that pays. If the caller cannot be identified, the address pays, or the request is refused. */
async function payerOf(c: Context<App>, { key = bucketOf, onUnavailable }: RateLimitOptions): Promise<Place> {
  try {
    return await key(c);
  } catch (error) {
    const isOutage = error instanceof Refusal && error.problem.kind === "unavailable";
    if (isOutage && onUnavailable === "allow") return bucketOfAddress(c);
    throw error;
  }
}

/** The refusal 429, with the article's fields. */
export function denied(policy: NamedPolicy, verdict: Verdict): Refusal {
  const retryAfter = seconds(verdict.waitMs);
  return refusal("rate-limited", `Too many requests under "${policy.name}"; come back in ${retryAfter} s`, {
    fields: { allowed: false, retryAfter, remaining: verdict.remaining },
    headers: limitHeaders(policy.name, policy, verdict),
  });
}

/** The refusal 503, because it is not known how many tokens are left. */
export function unavailable(): Refusal {
  return refusal("unavailable", "The rate limiter cannot answer; try again in a second", {
    fields: { allowed: false },
    headers: { "Retry-After": "1" },
  });
}
