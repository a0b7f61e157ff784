/** What people would take in the place of our rooms, for `npm run bench:peers`. */
import type { PatternPeers } from "../bench/peers.ts";

const PARTYSERVER = {
  title: "chat messages/s, 50 sockets",
  concurrency: 50,
  promises: "no history: who was away misses what was said; nothing is stored",
};

export const peers: PatternPeers = {
  measures: [
    { ...PARTYSERVER, peer: "partyserver, hibernating, our clients with batches", subject: "chat-party", atLeast: 1 },
    { ...PARTYSERVER, peer: "partyserver, hibernating, a frame a message", subject: "plain-chat-party" },
  ],
  classes: { PARTY_ROOM: "PartyRoom", FLOOR_ROOM: "FloorRoom" },
};
