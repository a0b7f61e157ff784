/** Sample pattern: what the rest of the house knows of it. */
import * as v from "valibot";
import { whole } from "../../contract/values.ts";
import { pattern } from "../pattern.ts";
import { schema } from "./schema.ts";

export const samplePattern = pattern({
  folder: "sample-pattern",
  // Never change it once there are objects: they would not be found again.
  name: "sample-pattern",
  binding: "SAMPLE_PATTERN",
  class: "SamplePatternDO",
  path: "/sample-pattern",
  schema,
  actions: {
    read: { may: "anyone" },
    write: { may: "users", open: true },
  },
  limit: { policy: "sample-pattern", onUnavailable: "allow" },
  settings: {
    samplePattern: v.optional(
      v.object({
        /** Characters that a text may have. */
        maxLength: v.optional(whole(1, 10_000), 1_000),
      }),
      {},
    ),
  },
});
