/** The cost of counters. */
import type { PatternCost } from "../../infra/cost/operation.ts";

export const cost = {
  operations: {
    increment: {
      option: "increments",
      says: "changes of counters with one caller at a time",
      ours: 1,
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
