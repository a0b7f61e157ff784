/**
 * The history of this Worker's Durable Object classes. Append steps; never edit or reorder what has been released.
 * `npm run migrations -- lock` records a new step; `npm run preview` shows what the next `up` will do.
 * How to add a class: docs/add-a-pattern.md; to rename, delete or move one: docs/change-a-class.md.
 */
import { history } from "@durable-stack/class-lifecycle";

export const { migrations } = history()
  // A step may create, rename, remove, send and receive classes.
  .step("0001-create-patterns", (classes) =>
    classes.create("CounterDO").create("ChatRoomDO").create("AccountDO").create("SessionDO").create("RateLimiterDO"),
  )
  .step("0002-create-document", (classes) => classes.create("DocumentDO"));
