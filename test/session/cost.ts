/** The cost of sessions. */
import type { PatternCost } from "../../infra/cost/operation.ts";

/** The rows for a new session: its own, and those in the list of its user's sessions. */
export const BEGUN = { session: 2, listed: 3 } as const;

export const cost = {
  operations: {
    begin: {
      option: "sessions",
      says: "sessions created",
      // When it is over: its own, and its list's. A log-out spares them.
      alarms: { ours: 2, articles: 1 },
      ours: BEGUN.session + BEGUN.listed,
      articles: 2,
    },
    /** For a session that is read once a second. */
    read: { option: "session-reads", says: "reads of sessions", ours: 0.02, articles: 1 },
  },
} satisfies PatternCost;
