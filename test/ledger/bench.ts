/** The measures of ledgers. */
import type { PatternBench } from "../bench/measure.ts";

const what = { title: "transfers/s, log at 1,000", subject: "transfer" };

export const bench: PatternBench = {
  measures: [
    { ...what, concurrency: 1, timesNaive: 3 },
    { ...what, concurrency: 32, timesNaive: 9, shareOfFloor: 0.35 },
  ],
  classes: { NAIVE_ACCOUNT: "NaiveAccount" },
};
