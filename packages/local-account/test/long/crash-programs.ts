/** The programs before and after the killed deployments: a class with its old and its new name, and assets. */
import { type Files, putScript, uploaded } from "../assets.ts";
import { live, type Program, type TestAccount } from "../support.ts";

export const BEFORE: Program = { tag: "before", classes: ["Old"], bound: ["Old"], exports: live("Old") };

export const AFTER: Program = {
  tag: "after",
  classes: ["New"],
  bound: ["New"],
  exports: { Old: { type: "durable-object", state: "renamed", renamed_to: "New" }, ...live("New") },
};

export const FILES_BEFORE: Files = { "/index.html": "old", "/page.html": "old", "/same.txt": "same" };
const FILES_AFTER: Files = { "/index.html": "new", "/page.html": "new", "/same.txt": "same" };

/** The deployments, by the name that crash-child.ts gets. */
export const DEPLOYMENTS: Readonly<Record<string, (test: TestAccount) => Promise<unknown>>> = {
  classes: (test) => test.deploy("app", AFTER),
  assets: async (test) => putScript(test, "site", { assets: { jwt: await uploaded(test, FILES_AFTER) } }),
};
