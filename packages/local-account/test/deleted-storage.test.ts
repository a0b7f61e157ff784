/** What bound Workers see of a KV namespace or a bucket that was deleted, and what a new one of its name has. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { AssetFiles } from "../src/assets/files.ts";
import { Runtime } from "../src/runtime/runtime.ts";
import { account, live, temporaryDirectory } from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const BLOBS = { type: "r2_bucket", name: "BLOBS", bucket_name: "blobs" };
const PUT_BLOB =
  'if (!env.BLOBS) return new Response("unbound"); await env.BLOBS.put("a", "text"); return new Response("put");';

it("takes a deleted KV namespace away from the Workers that are bound to it", async () => {
  const test = await account();
  const { id } = await test.sdk.kv.namespaces.create({ account_id: test.id, title: "kv" });
  await test.deploy("app", {
    bindings: [{ type: "kv_namespace", name: "KV", namespace_id: id }],
    fetch: 'if (!env.KV) return new Response("unbound"); await env.KV.put("a", "text"); return new Response("put");',
  });
  expect(await test.ask("app")).toMatchObject({ text: "put" });
  await test.sdk.kv.namespaces.delete(id, { account_id: test.id });
  expect(await test.ask("app")).toMatchObject({ text: "unbound" });
});

it("takes a deleted bucket away, and gives a new one of its name, without the objects", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  const folders = () => readdirSync(path.join(dir, "data/r2")).filter((name) => !name.startsWith("miniflare-"));
  const objects = () => test.call("get", "/r2/buckets/blobs/objects");
  await test.call("post", "/r2/buckets", { name: "blobs" });
  await test.deploy("app", { bindings: [BLOBS], fetch: PUT_BLOB });
  expect(await test.ask("app")).toMatchObject({ text: "put" });
  await test.call("delete", "/r2/buckets/blobs/objects/a");
  await test.call("delete", "/r2/buckets/blobs");
  expect(folders()).toEqual([]);
  expect(await test.ask("app")).toMatchObject({ text: "unbound" });
  await test.call("post", "/r2/buckets", { name: "blobs" });
  expect(await objects()).toEqual([]);
  expect(await test.ask("app")).toMatchObject({ text: "put" });
  expect(await objects()).toMatchObject([{ key: "a" }]);
});

it("keeps what is written to a new bucket of a deleted one's name", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  // No Worker is bound, so that nothing else replaces the runtime, which had the deleted bucket open.
  await test.call("post", "/r2/buckets", { name: "blobs" });
  await test.call("put", "/r2/buckets/blobs/objects/old", "text");
  await test.call("delete", "/r2/buckets/blobs/objects/old");
  await test.call("delete", "/r2/buckets/blobs");
  await test.call("post", "/r2/buckets", { name: "blobs" });
  await test.call("put", "/r2/buckets/blobs/objects/new", "text");
  await test.close();
  const again = await account({ dir });
  expect(await again.call("get", "/r2/buckets/blobs/objects")).toMatchObject([{ key: "new" }]);
});

it("makes a change though the disk does not let what it deletes be removed, and removes that with the next", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  const stored = (id: string) => readdirSync(path.join(dir, "data/do")).includes(id);
  await test.deploy("rooms", { classes: ["Room"], bound: ["Room"], exports: live("Room") });
  await test.ask("rooms", "/Room/a");
  const { "rooms/Room": namespace = "" } = await test.namespaces();
  expect(stored(namespace)).toBe(true);

  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  const refuse = () => Promise.reject(Object.assign(new Error("EACCES: rm 'x'"), { code: "EACCES" }));
  vi.spyOn(Runtime.prototype, "sweep").mockImplementationOnce(refuse);
  vi.spyOn(AssetFiles.prototype, "prune").mockImplementationOnce(refuse);
  await test.call("delete", "/workers/scripts/rooms?force=true");
  expect((await test.workers()).names).toEqual([]);
  expect(await test.ask("rooms", "/Room/a")).toMatchObject({ status: 404 });
  expect(said.mock.calls.map(String)).toEqual(
    Array(2).fill(expect.stringMatching(/cannot remove .* \(this user may not: EACCES: rm 'x'\).* is made/)),
  );
  expect(stored(namespace)).toBe(true);

  await test.ensure("other");
  expect(stored(namespace)).toBe(false);
});

it("makes no other of a name while what a deleted one had cannot be removed, and says what to do", async () => {
  const test = await account({ dir: temporaryDirectory() });
  const objects = () => test.call("get", "/r2/buckets/blobs/objects");
  await test.call("post", "/r2/buckets", { name: "blobs" });
  await test.call("put", "/r2/buckets/blobs/objects/old", "text");
  await test.call("delete", "/r2/buckets/blobs/objects/old");

  vi.spyOn(console, "error").mockImplementation(() => {});
  const sweep = vi
    .spyOn(Runtime.prototype, "sweep")
    .mockImplementation(() => Promise.reject(Object.assign(new Error("EACCES: rm 'x'"), { code: "EACCES" })));
  await test.call("delete", "/r2/buckets/blobs");
  await expect(test.call("post", "/r2/buckets", { name: "blobs" })).rejects.toThrow(
    /"Nothing was changed: .* \(this user may not: EACCES: rm 'x'\)\. Correct that there, and send the call again\."/,
  );
  expect(await test.call("get", "/r2/buckets")).toMatchObject({ buckets: [] });

  sweep.mockRestore();
  await test.call("post", "/r2/buckets", { name: "blobs" });
  expect(await objects()).toEqual([]);
});
