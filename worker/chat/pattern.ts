/** Chat rooms: what the rest of the house knows of them. */
import * as v from "valibot";
import { whole } from "../../contract/values.ts";
import { pattern } from "../pattern.ts";

export const chat = pattern({
  folder: "chat",
  name: "chat",
  binding: "CHAT_ROOM",
  class: "ChatRoomDO",
  path: "/room",
  limit: { policy: "chat", onUnavailable: "allow" },
  settings: {
    chat: v.optional(
      v.object({
        /** Messages that a room keeps. */
        historyLimit: v.optional(whole(1, 10_000), 100),
        /** Days after which a room deletes a message, with its attachment. For ever, up to the limit, where not set. */
        retentionDays: v.optional(whole(1, 3_650)),
      }),
      {},
    ),
  },
  /** Who somebody is in a room, their session says. */
  needs: ["session"],
});
