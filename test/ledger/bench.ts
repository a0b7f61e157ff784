/** The measures of ledgers. */
import type { PatternBench } from "../bench/measure.ts";

const what = { title: "transfers/s, log at 1,000", subject: "transfer" };

export const bench: PatternBench = {
  measures: [
    { ...what, concurrency: 1, timesNaive: 3 },
    { ...what, concurrency: 32, timesNaive: 9, shareOfFloor: 0.35 },
    // In the place of the article's way: a debit in one of its objects, then a credit in the other.
    { title: "transfers/s between two ledgers, arrived", subject: "send", concurrency: 32, timesNaive: 5 },
    // In the place of the article's way: a `batch` of D1, which is one transaction.
    { title: "transfers/s, beside D1's batch", subject: "transfer-d1", concurrency: 32, timesNaive: 5 },
  ],
  classes: { NAIVE_ACCOUNT: "NaiveAccount" },
  databases: ["BANK"],
};
