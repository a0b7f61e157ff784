/** The measures of sessions. */
import type { PatternBench } from "../bench/measure.ts";

export const bench: PatternBench = {
  measures: [
    { title: "reads/s of 100 sessions", subject: "session", concurrency: 1, timesNaive: 5, shareOfFloor: 0.7 },
  ],
  classes: { NAIVE_SESSION: "NaiveSession" },
};
