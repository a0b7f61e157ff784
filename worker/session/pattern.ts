/** Sessions: everything that the rest of the project knows about this pattern. */
import * as v from "valibot";
import { whole, yesOrNo } from "../../contract/values.ts";
import { pattern } from "../pattern.ts";
import { schema } from "./schema.ts";

export const session = pattern({
  folder: "session",
  name: "session",
  binding: "SESSION",
  class: "SessionDO",
  path: "/session",
  schema,
  actions: {
    create: { may: "guests" },
    /** Read, renew or end the session whose token the caller shows. */
    use: { may: "holder" },
    /** List or end all sessions of a user. */
    list: { may: "owner" },
    revoke: { may: "owner" },
  },
  limit: { policy: "session", onUnavailable: "deny" },
  settings: {
    /** Whether anybody may create a guest session. Only for a stack that is not protected. */
    demoLogin: v.optional(yesOrNo, false),
    session: v.optional(
      v.object({
        slidingMinutes: v.optional(whole(1, 1_440), 30),
        absoluteHours: v.optional(whole(1, 720), 12),
        maxPerUser: v.optional(whole(1, 1_000), 10),
      }),
      {},
    ),
  },
});
