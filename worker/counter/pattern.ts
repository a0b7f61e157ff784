/** Counters: everything that the rest of the project knows about this pattern. */
import { pattern } from "../pattern.ts";
import { schema } from "./schema.ts";

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
  settings: {},
});
