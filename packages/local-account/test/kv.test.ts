/** KV namespaces: batches, which the account writes in one transaction beside what a Worker writes. */
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { account, refusal, type TestAccount, temporaryDirectory } from "./support.ts";

async function withNamespace(dir: string): Promise<{ test: TestAccount; id: string; at: string }> {
  const test = await account({ dir });
  const { id } = await test.sdk.kv.namespaces.create({ account_id: test.id, title: "kv" });
  return { test, id, at: `/storage/kv/namespaces/${id}` };
}

const CODE = `export default { async fetch(request, { KV }) {
  const { pathname, searchParams } = new URL(request.url);
  const key = pathname.slice(1);
  if (searchParams.has("put")) await KV.put(key, searchParams.get("put"));
  if (searchParams.has("delete")) await KV.delete(key);
  const { value, metadata } = await KV.getWithMetadata(key, "text");
  return Response.json({ value, metadata });
} };`;

it("keeps nothing of a call that is over: not what stops a long one, nor its bytes", async () => {
  const { test, at } = await withNamespace(temporaryDirectory());
  const [set, cleared] = [vi.spyOn(globalThis, "setTimeout"), vi.spyOn(globalThis, "clearTimeout")];
  onTestFinished(() => void vi.restoreAllMocks());
  await test.call("put", `${at}/bulk`, [{ key: "key", value: "value" }]);
  expect(await test.call("get", `${at}/keys`)).toEqual([{ name: "key" }]);
  const minutes = 60_000;
  const long = set.mock.calls.flatMap(([, ms = 0], call) =>
    ms >= 15 * minutes ? [set.mock.results[call]?.value] : [],
  );
  expect(long).not.toEqual([]);
  const over = cleared.mock.calls.map(([timer]) => timer);
  expect(long.filter((timer) => !over.includes(timer))).toEqual([]);
});

it("gives a Worker what a batch wrote: text, bytes, large values, metadata", async () => {
  const { test, id, at } = await withNamespace(temporaryDirectory());
  await test.deploy("app", { code: CODE, bindings: [{ type: "kv_namespace", name: "KV", namespace_id: id }] });
  const large = "ä".repeat(100_000);
  const pairs = [
    { key: "text", value: "ä", metadata: { n: 1 } },
    { key: "empty", value: "" },
    { key: "bytes", value: Buffer.from("bytes").toString("base64"), base64: true },
    { key: "large", value: large },
    { key: "twice", value: "first" },
    { key: "twice", value: "second" },
  ];
  expect(await test.call("put", `${at}/bulk`, pairs)).toMatchObject({ successful_key_count: 6 });
  const read = async (key: string) => (await test.ask("app", `/${key}`)).json();
  expect(await read("text")).toEqual({ value: "ä", metadata: { n: 1 } });
  expect(await read("empty")).toEqual({ value: "", metadata: null });
  expect(await read("bytes")).toMatchObject({ value: "bytes" });
  expect((await read("large")).value).toBe(large);
  expect(await read("twice")).toMatchObject({ value: "second" });
  // A Worker replaces and removes them as its own, and a batch what a Worker wrote.
  expect(await read("text?put=new")).toEqual({ value: "new", metadata: null });
  expect(await read("bytes?delete")).toMatchObject({ value: null });
  await test.call("put", `${at}/bulk`, [{ key: "text", value: "newest" }]);
  expect(await read("text")).toMatchObject({ value: "newest" });
  await test.call("post", `${at}/bulk/delete`, ["text", "large", "nothing"]);
  const keys = await test.call("get", `${at}/keys`);
  expect(keys).toEqual([{ name: "empty" }, { name: "twice" }]);
});

it("keeps the last value of a key that is in a batch twice, large or small, and no file of the others", async () => {
  const dir = temporaryDirectory();
  const { test, id, at } = await withNamespace(dir);
  await test.deploy("app", { code: CODE, bindings: [{ type: "kv_namespace", name: "KV", namespace_id: id }] });
  const large = (text: string) => text.padEnd(100_000, ".");
  const pairs = [
    { key: "large-large", value: large("a") },
    { key: "large-large", value: large("b") },
    { key: "large-small", value: large("c") },
    { key: "large-small", value: "d" },
    { key: "small-large", value: "e" },
    { key: "small-large", value: large("f") },
  ];
  expect(await test.call("put", `${at}/bulk`, pairs)).toMatchObject({ successful_key_count: 6 });
  const read = async (key: string) => {
    const { value } = (await test.ask("app", `/${key}`)).json();
    return typeof value === "string" ? [value.slice(0, 1), value.length] : value;
  };
  expect(await read("large-large")).toEqual(["b", 100_000]);
  expect(await read("large-small")).toEqual(["d", 1]);
  expect(await read("small-large")).toEqual(["f", 100_000]);
  // Large values are files.
  const blobs = path.join(dir, `data/kv/${id}/blobs`);
  expect(readdirSync(blobs)).toHaveLength(2);
});

it("writes all of a batch or nothing, and keeps it over a restart", async () => {
  const dir = temporaryDirectory();
  const { test, at } = await withNamespace(dir);
  const expiration = Math.floor(Date.now() / 1_000) + 3_600;
  await test.call("put", `${at}/bulk`, [{ key: "kept", value: "1", expiration }]);
  const soon = await refusal(
    test.call("put", `${at}/bulk`, [
      { key: "a", value: "1" },
      { key: "b", value: "1", expiration_ttl: 30 },
    ]),
  );
  expect(soon).toMatchObject({ status: 400, message: "key 'b': a key expires 60 seconds from now, or later." });
  expect(await refusal(test.call("put", `${at}/bulk`, [{ key: ".", value: "" }]))).toMatchObject({ status: 400 });
  await test.close();
  const again = await account({ dir });
  expect(await again.call("get", `${at}/keys`)).toEqual([{ name: "kept", expiration }]);
  // The namespace's file goes with the namespace.
  const folder = path.join(dir, "data/kv/miniflare-KVNamespaceObject");
  const files = () => (existsSync(folder) ? readdirSync(folder).filter((name) => /^[0-9a-f]{64}/.test(name)) : []);
  expect(files()).not.toEqual([]);
  await again.call("delete", at);
  expect(files()).toEqual([]);
});

it("holds a single value to the limits of a batch, and refuses a batch with what is not base64", async () => {
  const { test, at } = await withNamespace(temporaryDirectory());
  const status = async (call: Promise<unknown>) => (await refusal(call)).status;
  expect(await status(test.call("put", `${at}/values/${"k".repeat(513)}`, "x"))).toBe(400);
  expect(await status(test.call("get", `${at}/values/${"k".repeat(513)}`))).toBe(400);
  expect(await status(test.call("put", `${at}/values/a?expiration_ttl=5`, "x"))).toBe(400);
  expect(await status(test.call("put", `${at}/values/a?expiration=1`, "x"))).toBe(400);
  expect(await status(test.call("put", `${at}/bulk`, [{ key: "a", value: "!!!", base64: true }]))).toBe(400);
  expect(await test.call("get", `${at}/keys`)).toEqual([]);
  // The account checks it, and workerd does not check it again, for which some of the 60 seconds have passed.
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 2_000 });
  onTestFinished(() => void vi.useRealTimers());
  await test.call("put", `${at}/values/a?expiration_ttl=60`, "x");
  expect(await test.call("get", `${at}/keys`)).toEqual([{ name: "a", expiration: expect.any(Number) }]);
});

it("says in a header when a value that is read expires, and nothing of one that stays", async () => {
  const { test, at } = await withNamespace(temporaryDirectory());
  const expiration = Math.floor(Date.now() / 1_000) + 3_600;
  await test.call("put", `${at}/bulk`, [
    { key: "ends", value: "1", expiration },
    { key: "end", value: "1" },
  ]);
  const headerOf = async (key: string) => {
    const url = `${test.running.apiUrl}/accounts/${test.id}${at}/values/${key}`;
    const answer = await fetch(url, { headers: { authorization: `Bearer ${test.running.token}` } });
    return answer.headers.get("expiration");
  };
  expect(await headerOf("ends")).toBe(String(expiration));
  expect(await headerOf("end")).toBeNull();
});
