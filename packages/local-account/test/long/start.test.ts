/** The start of an account with a Worker that does not start. */
import path from "node:path";
import { expect, it } from "vitest";
import { Draft, Store } from "../../src/store.ts";
import { account, live, temporaryDirectory } from "../support.ts";

it("serves the rest, reports the broken Worker, and accepts a new deployment of it", async () => {
  const dir = temporaryDirectory();
  const first = await account({ dir });
  await first.deploy("good", { tag: "good" });
  const { id } = await first.deploy("bad", { tag: "bad" });
  await first.close();
  breakVersion(dir, id);

  const second = await account({ dir });
  expect((await second.ask("good")).json()).toMatchObject({ tag: "good" });
  expect((await second.ask("bad")).status).toBe(500);
  await second.deploy("bad", { tag: "mended" });
  expect((await second.ask("bad")).json()).toMatchObject({ tag: "mended" });
});

it("serves the rest if a side of a split with objects is broken", async () => {
  const dir = temporaryDirectory();
  const first = await account({ dir });
  await first.deploy("good", { tag: "good" });
  const counter = { classes: ["Counter"], bound: ["Counter"], exports: live("Counter") };
  const old = await first.deploy("bad", { ...counter, tag: "old" });
  const next = await first.upload("bad", { ...counter, tag: "next" });
  await first.split("bad", { [old.id]: 50, [next.id]: 50 });
  await first.close();
  breakVersion(dir, next.id);

  const second = await account({ dir });
  expect((await second.ask("good")).json()).toMatchObject({ tag: "good" });
  const overrides = { "Cloudflare-Workers-Version-Overrides": `bad="${old.id}"` };
  expect((await second.ask("bad", "/", overrides)).json()).toMatchObject({ tag: "old" });
  expect((await second.ask("bad", "/Counter/x", overrides)).status).toBe(500);
  await second.split("bad", { [old.id]: 100 });
  expect((await second.ask("bad", "/Counter/x")).json()).toMatchObject({ count: 1 });
});

/** Puts what is not JavaScript in place of a version's modules. Stands for code that a newer workerd refuses. */
function breakVersion(dir: string, id: string): void {
  const store = Store.open(path.join(dir, "account.db"));
  const draft = new Draft(store);
  const version = draft.state.versions.get(id);
  if (version === undefined) throw new Error("the version is gone");
  const sha256 = draft.putBlob(Buffer.from("this is not JavaScript"));
  draft.put("versions", { ...version, modules: version.modules.map((module) => ({ ...module, sha256 })) });
  store.commit(draft);
  store.close();
}
