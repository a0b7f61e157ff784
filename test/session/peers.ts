/** What people would take in the place of our sessions, for `npm run bench:peers`. */
import type { PatternPeers } from "../bench/peers.ts";

const what = { title: "session reads/s", concurrency: 1, atLeast: 1 };

export const peers: PatternPeers = {
  measures: [
    {
      ...what,
      peer: "better-auth, cookie cache",
      subject: "session-better-auth",
      promises: "no call at all; a session that was ended lives on until the cookie's cache is over",
    },
    {
      ...what,
      peer: "a session in KV",
      subject: "session-kv",
      promises: "seen elsewhere up to a minute late; ends when its key expires; a read moves nothing",
    },
  ],
  classes: {},
};
