/** What ledgers cost. */
import type { PatternCost } from "../../infra/cost/operation.ts";

export const cost = {
  operations: {
    /** With an `Idempotency-Key`; without one it is a row less. */
    transfer: { option: "transfers", says: "transfers in ledgers", ours: 4, articles: 3 },
  },
} satisfies PatternCost;
