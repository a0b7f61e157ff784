/** What people would take in the place of our rate limiter, for `npm run bench:peers`. */
import type { PatternPeers } from "../bench/peers.ts";

const HONO = {
  title: "rate limiter checks/s",
  peer: "hono-rate-limiter with its object",
  subject: "limiter-hono",
  promises: "fixed windows, so up to twice the limit around their edge; durable",
  atLeast: 1,
};

export const peers: PatternPeers = {
  measures: [
    { ...HONO, concurrency: 1 },
    { ...HONO, concurrency: 32 },
  ],
  classes: { HONO_LIMITER: "DurableObjectRateLimiter" },
};
