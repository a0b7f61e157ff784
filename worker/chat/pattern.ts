/** Chat rooms: everything that the rest of the project knows about this pattern. */
import * as v from "valibot";
import { oneOf, whole, yesOrNo } from "../../contract/values.ts";
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
    /** Upload and download files: for those who may read the room and have joined it. */
    attach: { may: "object", open: true },
    /** Change the room's rule, owner and members. */
    manage: { may: "keeper" },
    /** Delete messages. */
    moderate: { may: "keeper" },
    delete: { may: "admin" },
  },
  limit: { policy: "chat", onUnavailable: "allow" },
  settings: {
    chat: v.optional(
      v.object({
        /**
         * Messages that a room keeps. A room that wakes up reads them all: a thousand of the longest take 16 MB of its
         * 128.
         */
        historyLimit: v.optional(whole(1, 1_000), 100),
        /** Who may join and read a room that has no rule of its own. */
        rooms: v.optional(oneOf(ROOM_RULES), "users"),
        /** The most WebSockets in one room: of one user, and of one network address. */
        socketsPerUser: v.optional(whole(1, 100), 10),
        socketsPerAddress: v.optional(whole(1, 1_000), 250),
        /** Relays of a room, each with a thousand more sockets. They come into use when the room is full. */
        relays: v.optional(whole(0, 100), 0),
        /** Whether callers in another region than the room's read through a relay in theirs. */
        regionalRelays: v.optional(yesOrNo, false),
        /**
         * Messages that a room takes in a second; from one network address, half as many. With the default, a reader
         * who is a second late is less than 200 messages behind, which is where a room closes a socket.
         */
        messagesPerSecond: v.optional(whole(1, 10_000), 100),
        /** The most mebibytes of files that a room keeps. */
        attachmentsMiB: v.optional(whole(1, 100_000), 1_000),
        /** Days after which a room deletes a message and its attachment. Not set: only `historyLimit` deletes. */
        retentionDays: v.optional(whole(1, 3_650)),
      }),
      {},
    ),
  },
  /** A caller's session says who they are in a room. */
  needs: ["session"],
});
