/** The cost of ledgers. */
import type { PatternCost } from "../../infra/cost/operation.ts";

export const cost = {
  operations: {
    /** With an `Idempotency-Key`. Without one it is one row less. */
    transfer: { option: "transfers", says: "transfers in ledgers", ours: 4, articles: 3 },
  },
} satisfies PatternCost;
