/** What people would take in the place of our documents, for `npm run bench:peers`. */
import type { PatternPeers } from "../bench/peers.ts";

export const peers: PatternPeers = {
  measures: [
    {
      title: "edits/s of a document, 50 sockets",
      subject: "document-party",
      concurrency: 50,
      peer: "y-partyserver, hibernating, in memory",
      promises: "nothing is stored unless one writes that; edits are told before they are stored",
      atLeast: 1,
    },
  ],
  classes: { PARTY_DOCUMENT: "PartyDocument", FLOOR_DOCUMENT: "FloorDocument" },
};
