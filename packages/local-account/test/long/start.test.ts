/** The start of an account with a Worker that does not start. */
import path from "node:path";
import { expect, it } from "vitest";
import { Draft, Store } from "../../src/store.ts";
import { account, temporaryDirectory } from "../support.ts";

it("serves the rest, reports the broken Worker, and accepts a new deployment of it", async () => {
  const dir = temporaryDirectory();
  const first = await account({ dir });
  await first.deploy("good", { tag: "good" });
  const { id } = await first.deploy("bad", { tag: "bad" });
  await first.close();

  // Stands for code that a newer workerd refuses: this is not JavaScript.
  const store = Store.open(path.join(dir, "account.db"));
  const draft = new Draft(store);
  const version = draft.state.versions.get(id);
  if (version === undefined) throw new Error("the version is gone");
  const sha256 = draft.putBlob(Buffer.from("this is not JavaScript"));
  draft.put("versions", { ...version, modules: version.modules.map((module) => ({ ...module, sha256 })) });
  store.commit(draft);
  store.close();

  const second = await account({ dir });
  expect((await second.ask("good")).json()).toMatchObject({ tag: "good" });
  expect((await second.ask("bad")).status).toBe(500);
  await second.deploy("bad", { tag: "mended" });
  expect((await second.ask("bad")).json()).toMatchObject({ tag: "mended" });
});
