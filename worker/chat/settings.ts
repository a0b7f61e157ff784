/** What a stack may set of its chat rooms, by key of its file. */
import * as v from "valibot";
import { whole } from "../../contract/values.ts";

export const chatSettings = {
  chat: v.optional(
    v.object({
      /** Messages that a room keeps. */
      historyLimit: v.optional(whole(1, 10_000), 100),
      /** Days after which a room deletes a message, with its attachment. For ever, up to the limit, where not set. */
      retentionDays: v.optional(whole(1, 3_650)),
    }),
    {},
  ),
};
