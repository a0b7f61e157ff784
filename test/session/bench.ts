/** The measures of sessions. */
import * as v from "valibot";
import { post } from "../bench/http/routes.ts";
import type { PatternBench } from "../bench/measure.ts";

const Begun = v.object({ token: v.string() });

export const bench: PatternBench = {
  measures: [
    { title: "reads/s of 100 sessions", subject: "session", concurrency: 1, timesNaive: 16, shareOfFloor: 0.9 },
  ],
  classes: { NAIVE_SESSION: "NaiveSession" },
  routes: [
    {
      title: "GET /session",
      method: "GET",
      path: "/session",
      prepare: async (url) => {
        const { token } = v.parse(Begun, await post(url, "/session", { userId: "bench" }));
        return { Authorization: `Bearer ${token}` };
      },
    },
  ],
};
