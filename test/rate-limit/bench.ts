/** The measures of the rate limiter. */
import type { PatternBench } from "../bench/measure.ts";

const what = { title: "rate limiter checks/s", subject: "limiter" };

export const bench: PatternBench = {
  measures: [
    { ...what, concurrency: 1, timesNaive: 8, shareOfFloor: 0.8 },
    { ...what, concurrency: 32, timesNaive: 7, shareOfFloor: 0.75 },
  ],
  classes: { NAIVE_RATE_LIMITER: "NaiveRateLimiter" },
};
