/** The measures of the rate limiter. */
import type { PatternBench } from "../bench/measure.ts";

const what = { title: "rate limiter checks/s", subject: "limiter" };

export const bench: PatternBench = {
  measures: [
    { ...what, concurrency: 1, timesNaive: 5, shareOfFloor: 0.7 },
    { ...what, concurrency: 32, timesNaive: 5, shareOfFloor: 0.6 },
  ],
  classes: { NAIVE_RATE_LIMITER: "NaiveRateLimiter" },
};
