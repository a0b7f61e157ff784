/** What people would take in the place of our counters, for `npm run bench:peers`. */
import type { PatternPeers } from "../bench/peers.ts";

const what = (peer: string, concurrency: number) => ({ title: "counter increments/s", peer, concurrency });
const SQL = { subject: "counter-sql", promises: "exact, durable; a retry counts twice" };
const ACTORS = {
  subject: "counter-actors",
  promises: "exact; a write that fails is only logged; a retry counts twice",
};
const AGENTS = { subject: "counter-agents", promises: "exact, durable; a retry counts twice" };
const D1 = { subject: "counter-d1", promises: "exact, durable; a retry counts twice" };

export const peers: PatternPeers = {
  measures: [
    // The lone caller must not pay for group commit and idempotency.
    { ...what("one SQL statement in an object", 1), ...SQL, atLeast: 0.97 },
    { ...what("@cloudflare/actors, @Persist", 1), ...ACTORS },
    { ...what("agents, setState", 1), ...AGENTS },
    { ...what("D1, UPDATE … RETURNING", 1), ...D1 },
    { ...what("one SQL statement in an object", 32), ...SQL, atLeast: 1 },
    { ...what("@cloudflare/actors, @Persist", 32), ...ACTORS, atLeast: 1 },
    { ...what("agents, setState", 32), ...AGENTS, atLeast: 1 },
    { ...what("D1, UPDATE … RETURNING", 32), ...D1, atLeast: 1 },
  ],
  classes: { SQL_COUNTER: "SqlCounter", ACTOR_COUNTER: "ActorCounter", AGENT_COUNTER: "AgentCounter" },
  databases: ["COUNTS"],
};
