/** The cost of ledgers. */
import type { PatternCost } from "../../infra/cost/operation.ts";

export const cost = {
  operations: {
    /**
     * With an `Idempotency-Key`: three rows, the key's, the key's deletion a day later, and the deletion of the
     * transaction's row when it goes to the archive. Without a key it is two rows less, with a `reference` one more.
     */
    transfer: {
      option: "transfers",
      says: "transfers in ledgers, with an Idempotency-Key",
      // A thousand share the row of their segment, and some alarms.
      ours: 6.01,
      articles: 3,
    },
  },
} satisfies PatternCost;
