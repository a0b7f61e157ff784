/** What a stack may set of its sessions, by key of its file. */
import * as v from "valibot";
import { whole, yesOrNo } from "../../contract/values.ts";

export const sessionSettings = {
  /** Whether anybody may create a guest session. For local stacks only. */
  demoLogin: v.optional(yesOrNo, false),
  session: v.optional(
    v.object({
      slidingMinutes: v.optional(whole(1, 1_440), 30),
      absoluteHours: v.optional(whole(1, 720), 12),
      maxPerUser: v.optional(whole(1, 1_000), 10),
    }),
    {},
  ),
};
