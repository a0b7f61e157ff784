/**
 * The cost of the rate limiter, which checks every route. A denied request writes nothing, or one row if it must wait for
 * long.
 */
import type { PatternCost } from "../../infra/cost/operation.ts";

export const cost = { operations: {}, check: { ours: 0.1, articles: 1, callsWhenOften: 0.1 } } satisfies PatternCost;
