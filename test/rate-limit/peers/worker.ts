/** The rate limiter that people use with Hono. */
import { type DurableObjectRateLimiter, DurableObjectStore } from "@hono-rate-limiter/cloudflare";
import type { RateLimiterDO } from "../../../worker/rate-limit/limiter.ts";
import { calls, NAME, type Subjects, type WithFloor } from "../../bench/worker/load.ts";

export { DurableObjectRateLimiter } from "@hono-rate-limiter/cloudflare";

interface Bindings extends WithFloor {
  RATE_LIMITER: DurableObjectNamespace<RateLimiterDO>;
  HONO_LIMITER: DurableObjectNamespace<DurableObjectRateLimiter>;
}

const ROOMY = { capacity: 1_000_000, periodSeconds: 60 };

export const subjects: Subjects<Bindings> = {
  "limiter-hono": calls<Bindings>({
    naive: ({ HONO_LIMITER }) => {
      const store = new DurableObjectStore({ namespace: HONO_LIMITER });
      store.init({ windowMs: 60_000 });
      return () => store.increment(NAME);
    },
    ours: ({ RATE_LIMITER }) => {
      const stub = RATE_LIMITER.getByName(NAME);
      return () => stub.take(ROOMY, 1);
    },
  }),
};
