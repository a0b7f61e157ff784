/** The rate limiter under load. */
import type { RateLimiterDO } from "../../../worker/rate-limit/limiter.ts";
import { calls, fetching, NAME, type Subjects, type WithFloor } from "../../bench/worker/load.ts";

export { NaiveRateLimiter } from "./naive.ts";

interface Bindings extends WithFloor {
  RATE_LIMITER: DurableObjectNamespace<RateLimiterDO>;
  NAIVE_RATE_LIMITER: DurableObjectNamespace;
}

/** So large that nothing is denied, because denials are cheaper. */
const ROOMY = { capacity: 1_000_000, periodSeconds: 60 };

export const subjects: Subjects<Bindings> = {
  limiter: calls<Bindings>({
    naive: (env) => fetching(env.NAIVE_RATE_LIMITER),
    ours: (env) => {
      const stub = env.RATE_LIMITER.getByName(NAME);
      return () => stub.takePacked(ROOMY.capacity, ROOMY.periodSeconds, 1);
    },
  }),
};
