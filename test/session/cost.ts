/** What sessions cost. */
import type { PatternCost } from "../../infra/cost/operation.ts";

/** Rows of a session that is begun: its own, and those in the object of the user's sessions. */
export const BEGUN = { session: 7, listed: 3 } as const;

export const cost = {
  operations: {
    begin: {
      option: "sessions",
      says: "sessions created",
      ours: BEGUN.session + BEGUN.listed,
      articles: 2,
    },
    /** Of a session that is read once a second. */
    read: { option: "session-reads", says: "reads of sessions", ours: 0.02, articles: 1 },
  },
} satisfies PatternCost;
