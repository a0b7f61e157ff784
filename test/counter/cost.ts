/** The cost of counters. */
import type { PatternCost } from "../../infra/cost/operation.ts";

export const cost = {
  operations: {
    increment: {
      option: "increments",
      says: "changes of counters with one caller at a time, without a key",
      ours: 1,
      articles: 1,
    },
    /** The key's row too, and the deletion of that row a day later. */
    keyedIncrement: {
      option: "keyed-increments",
      says: "the same, with an Idempotency-Key",
      ours: 3,
      articles: 1,
    },
    /** With 32 callers at a time. */
    busyIncrement: {
      option: "busy-increments",
      says: "changes of counters with many callers at once",
      ours: 0.1,
      articles: 1,
    },
  },
} satisfies PatternCost;
