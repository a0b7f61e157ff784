/** Documents that people edit together: everything that the rest of the project knows about this pattern. */
import * as v from "valibot";
import { oneOf, whole } from "../../contract/values.ts";
import { pattern } from "../pattern.ts";
import { schema } from "./schema.ts";
import { LEVELS } from "./sharing.ts";

export const document = pattern({
  folder: "document",
  name: "document",
  binding: "DOCUMENT",
  class: "DocumentDO",
  path: "/document",
  schema,
  actions: {
    read: { may: "object", open: true },
    /** Change what is in the document's shared part `comments`, and nothing else. */
    comment: { may: "object", open: true },
    /** Change the document; name versions of it. */
    write: { may: "object", open: true },
    /** Give the document the content of an earlier version again. For those who may also write. */
    restore: { may: "object", open: true },
    /** Change who may read, comment and write. */
    manage: { may: "keeper" },
    /** Delete versions. */
    prune: { may: "keeper" },
    delete: { may: "keeper" },
  },
  limit: { policy: "document", onUnavailable: "allow" },
  settings: {
    document: v.optional(
      v.object({
        /** What anybody, and every user, may do with a document that has no rule of its own. */
        anyone: v.optional(oneOf(LEVELS), "none"),
        users: v.optional(oneOf(LEVELS), "write"),
        /**
         * The most mebibytes of a document. In memory its texts, numbers and keys take up to ten times as much, of the 128
         * of an object; what else it has takes up to 60 (pieces.ts).
         */
        maxMiB: v.optional(whole(1, 10), 5),
        /** The most WebSockets at one document: in all, of one user, and of one network address. */
        sockets: v.optional(whole(1, 1_000), 250),
        socketsPerUser: v.optional(whole(1, 100), 10),
        socketsPerAddress: v.optional(whole(1, 1_000), 100),
        /** Kibibytes that one user may send in ten seconds, to one document. */
        kibPer10Seconds: v.optional(whole(16, 100_000), 2_048),
        /** Minutes between the versions that a document in use keeps by itself; 0 for none. */
        versionMinutes: v.optional(whole(0, 10_080), 60),
        /** The most versions of a document. The oldest that nobody named goes first. */
        versions: v.optional(whole(1, 1_000), 100),
      }),
      {},
    ),
  },
  /** A caller's session says who they are at a document. */
  needs: ["session"],
});
