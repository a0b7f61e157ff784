/** The rate limiter: everything that the rest of the project knows about this pattern. */
import * as v from "valibot";
import { whole } from "../../contract/values.ts";
import { pattern } from "../pattern.ts";

const RateLimit = v.object({
  /** Tokens in a full bucket. */
  capacity: whole(1, 1_000_000),
  /** Seconds in which an empty bucket fills up. */
  periodSeconds: whole(1, 86_400),
});

export const limit = pattern({
  folder: "rate-limit",
  name: "limit",
  binding: "RATE_LIMITER",
  class: "RateLimiterDO",
  path: "/limit",
  actions: { read: { may: "anyone" }, take: { may: "anyone" } },
  /** A policy of its own, so that looking at a bucket takes nothing from it. */
  limit: { policy: "limit", onUnavailable: "allow" },
  settings: {
    /** Token buckets by policy. Policies that are missing here use `default`. */
    rateLimits: v.optional(
      v.objectWithRest(
        {
          default: v.optional(RateLimit, { capacity: 100, periodSeconds: 60 }),
          limit: v.optional(RateLimit, { capacity: 300, periodSeconds: 60 }),
          /** For what a caller makes anew: counters, rooms, documents, ledgers. */
          create: v.optional(RateLimit, { capacity: 60, periodSeconds: 60 }),
          /** Mebibytes of files. */
          upload: v.optional(RateLimit, { capacity: 200, periodSeconds: 3_600 }),
        },
        RateLimit,
      ),
      {},
    ),
  },
});
