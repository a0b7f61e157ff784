/** Chat rooms: what the rest of the house knows of them. */
import * as v from "valibot";
import { oneOf, whole } from "../../contract/values.ts";
import { pattern } from "../pattern.ts";
import { ROOM_RULES } from "./door.ts";
import { schema } from "./schema.ts";

export const chat = pattern({
  folder: "chat",
  name: "chat",
  binding: "CHAT_ROOM",
  class: "ChatRoomDO",
  path: "/room",
  schema,
  actions: {
    join: { may: "object", open: true },
    read: { may: "object", open: true },
    /** Files go to who may read the room and has joined it. */
    attach: { may: "object", open: true },
    /** The room's rule, owner and members. */
    manage: { may: "keeper" },
    /** Messages, by the room's owner too. */
    moderate: { may: "keeper" },
    delete: { may: "admin" },
  },
  limit: { policy: "chat", onUnavailable: "allow" },
  settings: {
    chat: v.optional(
      v.object({
        /**
         * Messages that a room keeps. A room that wakes up reads them all: a thousand of the longest are 16 MB, of the
         * 128 that it has.
         */
        historyLimit: v.optional(whole(1, 1_000), 100),
        /** Who may join and read a room that has no rule of its own. */
        rooms: v.optional(oneOf(ROOM_RULES), "users"),
        /** WebSockets of one user in one room, and of all users of one network address. */
        socketsPerUser: v.optional(whole(1, 100), 10),
        socketsPerAddress: v.optional(whole(1, 1_000), 250),
        /**
         * Messages that a room takes in a second; of one network address, half as many. Somebody a second away is
         * then never more than 200 behind, at which a room gives a reader up.
         */
        messagesPerSecond: v.optional(whole(1, 10_000), 100),
        /** Mebibytes of the files that a room keeps. */
        attachmentsMiB: v.optional(whole(1, 100_000), 1_000),
        /** Days after which a room deletes a message, with its attachment. For ever, up to the limit, where not set. */
        retentionDays: v.optional(whole(1, 3_650)),
      }),
      {},
    ),
  },
  /** Who somebody is in a room, their session says. */
  needs: ["session"],
});
