/** What stands before and after the deployment that is killed: a class under its old and its new name. */
import { live, type Program } from "../local/support.ts";

export const BEFORE: Program = { tag: "before", classes: ["Old"], bound: ["Old"], exports: live("Old") };

export const AFTER: Program = {
  tag: "after",
  classes: ["New"],
  bound: ["New"],
  exports: { Old: { type: "durable-object", state: "renamed", renamed_to: "New" }, ...live("New") },
};
