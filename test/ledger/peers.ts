/** What people would take in the place of our ledgers, for `npm run bench:peers`. */
import type { PatternPeers } from "../bench/peers.ts";

const what = (peer: string, concurrency: number) => ({ title: "transfers/s", peer, concurrency });
const SQL = {
  subject: "transfer-sql",
  promises: "conserved, durable; a retry pays twice; no history that proves itself",
};
const D1 = {
  subject: "transfer-in-d1",
  promises: "conserved, durable; a retry pays twice; no history that proves itself",
};

export const peers: PatternPeers = {
  measures: [
    { ...what("plain SQL in an object", 1), ...SQL, atLeast: 0.97 },
    { ...what("D1, batch", 1), ...D1, atLeast: 1 },
    { ...what("plain SQL in an object", 32), ...SQL, atLeast: 1 },
    { ...what("D1, batch", 32), ...D1, atLeast: 1 },
  ],
  classes: { SQL_ACCOUNTS: "SqlAccounts" },
  databases: ["TILL"],
};
