/**
 * The rate limiter as middleware. `rateLimit({ policy: "account", onUnavailable: "deny" })` before a route lets a
 * caller pass while the caller's bucket has tokens, and adds to every answer how many are left.
 */
import type { Context, MiddlewareHandler } from "hono";
import type { App, Charge } from "../http/context.ts";
import { addHeaders } from "../http/headers.ts";
import { Refusal, refusal } from "../http/problem.ts";
import type { Place } from "../objects/names.ts";
import type { Limit } from "../pattern.ts";
import { bucketOf, bucketOfAddress } from "./caller.ts";
import { check, type NamedPolicy, policyOf } from "./check.ts";
import { limitHeaders, seconds } from "./headers.ts";
import type { Verdict } from "./verdict.ts";

export function rateLimit({ policy: name, cost = 1, onUnavailable }: Charge): MiddlewareHandler<App> {
  return async function rateLimit(c, next) {
    c.set("charged", true);
    const policy = policyOf(c, name);
    const caller = await payerOf(c, onUnavailable);
    const verdict = await check(c, "take", { policy, caller, cost: Math.min(cost, policy.capacity) });
    if (!verdict && onUnavailable === "deny") throw unavailable();
    if (verdict?.allowed === false) throw overLimit(policy, verdict);
    await next();
    // The answer to a WebSocket upgrade takes no headers, and a route that asks about a bucket has set its own.
    if (!verdict || c.res.status === 101 || c.res.headers.has("RateLimit")) return;
    addHeaders(c, limitHeaders(policy.name, policy, verdict));
  };
}

/** The bucket that pays. If the caller cannot be identified, the address pays, or the request is refused. */
async function payerOf(c: Context<App>, onUnavailable: Limit["onUnavailable"]): Promise<Place> {
  try {
    return await bucketOf(c);
  } catch (error) {
    const isOutage = error instanceof Refusal && error.problem.kind === "unavailable";
    if (isOutage && onUnavailable === "allow") return bucketOfAddress(c);
    throw error;
  }
}

/** The refusal 429, with the article's fields. */
export function overLimit(policy: NamedPolicy, verdict: Verdict): Refusal {
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
  });
}
