/** The measures of counters. */
import type { PatternBench } from "../bench/measure.ts";

const what = { title: "counter increments/s", subject: "counter" };

export const bench: PatternBench = {
  measures: [
    { ...what, concurrency: 1, timesNaive: 1 },
    { ...what, concurrency: 32, timesNaive: 6.5, shareOfFloor: 0.75 },
  ],
  classes: { NAIVE_COUNTER: "NaiveCounter" },
  routes: [
    { title: "GET /counter/value", method: "GET", path: "/counter/value?id=bench" },
    { title: "POST /counter/increment", method: "POST", path: "/counter/increment?id=bench", json: {} },
  ],
};
