/** Counters: everything that the rest of the project knows about this pattern. */
import * as v from "valibot";
import { whole } from "../../contract/values.ts";
import { pattern } from "../pattern.ts";
import { schema } from "./schema.ts";

/** An id as callers write it. Whether the region exists is checked with the stack's others (`idsIn`). */
const CounterId = v.pipe(
  v.string(),
  v.regex(/^([^\s:~]+~)?[^\s:~]([^:~]*[^\s:~])?$/, "must be a counter's id, such as likes or eu~likes"),
);

export const counter = pattern({
  folder: "counter",
  name: "counter",
  binding: "COUNTER",
  class: "CounterDO",
  path: "/counter",
  schema,
  actions: {
    read: { may: "anyone" },
    change: { may: "users", open: true },
    reset: { may: "admin" },
    delete: { may: "admin" },
  },
  limit: { policy: "counter", onUnavailable: "allow" },
  idsIn: ["counter.shards"],
  settings: {
    counter: v.optional(
      v.object({
        /** Hot counters, by id: on how many objects each is. Read docs/scale.md first. */
        shards: v.optional(v.record(CounterId, whole(2, 100)), {}),
      }),
      {},
    ),
  },
});
