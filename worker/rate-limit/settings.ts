/** What a stack may set of its rate limiter, by key of its file. */
import * as v from "valibot";
import { whole } from "../../contract/values.ts";

const RateLimit = v.object({
  /** Tokens in a full bucket. */
  capacity: whole(1, 1_000_000),
  /** Seconds in which an empty bucket fills up. */
  periodSeconds: whole(1, 86_400),
});

export const rateLimitSettings = {
  /** Token buckets by policy; a policy that is not here uses `default`. */
  rateLimits: v.optional(
    v.objectWithRest({ default: v.optional(RateLimit, { capacity: 100, periodSeconds: 60 }) }, RateLimit),
    {},
  ),
};
