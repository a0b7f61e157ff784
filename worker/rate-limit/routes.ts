/**
 * HTTP routes of the rate limiter itself, mounted under /limit: look at the caller's bucket, or take tokens from it
 * without doing anything else. Both count under the policy "limit"; looking takes nothing from the bucket.
 */

import * as v from "valibot";
import { Hono } from "../http/hono.ts";
import { may } from "../http/may.ts";
import { Integer } from "../http/numbers.ts";
import { describe } from "../http/openapi.ts";
import { body, query, wholeNumber } from "../http/validation.ts";
import { bucketOf } from "./caller.ts";
import { affordable, check, type NamedPolicy, policyOf } from "./check.ts";
import { limitHeaders, seconds } from "./headers.ts";
import { overLimit, unavailable } from "./middleware.ts";
import { limit } from "./pattern.ts";
import type { Verdict } from "./verdict.ts";

const MAX_COST = 1_000_000;
const PolicyName = v.optional(v.pipe(v.string(), v.maxLength(31)), "default");
const Peek = v.object({ policy: PolicyName, cost: v.optional(wholeNumber(1, MAX_COST), "1") });
const Check = v.strictObject({
  policy: PolicyName,
  cost: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_COST)), 1),
});

/** The caller's bucket. */
const Status = v.object({
  /** Whether a request of this cost would pass now. */
  allowed: v.boolean(),
  remaining: Integer,
  /** Seconds until it would pass; only if it would not pass now. */
  retryAfter: v.optional(Integer),
  policy: v.string(),
  limit: Integer,
  periodSeconds: Integer,
});

export const routes = new Hono()
  .get(
    "/",
    describe("What is left in the caller's bucket", { 200: Status }),
    may(limit, "read"),
    query(Peek),
    async (c) => {
      const { policy: name, cost } = c.req.valid("query");
      const policy = policyOf(c, name);
      const verdict = await check(c, "peek", { policy, caller: await bucketOf(c), cost: affordable(cost, policy) });
      if (!verdict) throw unavailable();
      return c.json(status(policy, verdict), 200, limitHeaders(policy.name, policy, verdict));
    },
  )
  .post(
    "/check",
    describe("Takes tokens from the caller's bucket", { 200: Status }),
    may(limit, "take"),
    body(Check),
    async (c) => {
      const { policy: name, cost } = c.req.valid("json");
      const policy = policyOf(c, name);
      const verdict = await check(c, "take", { policy, caller: await bucketOf(c), cost: affordable(cost, policy) });
      if (!verdict) throw unavailable();
      if (!verdict.allowed) throw overLimit(policy, verdict);
      return c.json(status(policy, verdict), 200, limitHeaders(policy.name, policy, verdict));
    },
  );

function status(policy: NamedPolicy, verdict: Verdict): v.InferOutput<typeof Status> {
  const { allowed, remaining, waitMs } = verdict;
  const { name, capacity, periodSeconds } = policy;
  const retryAfter = allowed ? {} : { retryAfter: seconds(waitMs) };
  return { allowed, remaining, ...retryAfter, policy: name, limit: capacity, periodSeconds };
}
