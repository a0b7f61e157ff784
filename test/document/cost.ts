/** The cost of documents. The naive way stores the whole document with each edit (test/document/worker/naive.ts). */
import type { PatternCost } from "../../infra/cost/operation.ts";

/** A client tells every 15 seconds that it is still there (y-protocols). */
const SIGNS_PER_MONTH = (30 * 86_400) / 15;
/** An alarm looks for silent clients every four minutes. */
const LOOKS_PER_MONTH = (30 * 86_400) / 240;

export const cost = {
  operations: {
    edit: {
      option: "edits",
      says: "edits of documents, one at a time",
      calls: 0,
      messages: 1,
      ours: 1.1,
      articles: 1,
    },
    busyEdit: {
      option: "busy-edits",
      says: "edits of documents by many people at once",
      calls: 0,
      messages: 1,
      ours: 0.5,
      articles: 1,
    },
    open: {
      option: "open-documents",
      says: "documents that somebody has open, day and night",
      calls: 0,
      messages: SIGNS_PER_MONTH,
      alarms: { ours: LOOKS_PER_MONTH, articles: 0 },
      ours: LOOKS_PER_MONTH,
      articles: 0,
    },
  },
} satisfies PatternCost;
