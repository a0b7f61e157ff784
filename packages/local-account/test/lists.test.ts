/** Parameters of lists, what a long list takes, and reads in bulk. */
import { linkSync, mkdirSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it, onTestFinished, vi } from "vitest";
import { ObjectFiles } from "../src/runtime/objects.ts";
import { account, live, refusal, temporaryDirectory } from "./support.ts";

it("reads values in bulk as JSON, and with their metadata", async () => {
  const test = await account();
  const { id } = await test.sdk.kv.namespaces.create({ account_id: test.id, title: "kv" });
  const at = `/storage/kv/namespaces/${id}`;
  const expiration = Math.floor(Date.now() / 1_000) + 3_600;
  await test.call("put", `${at}/bulk`, [
    { key: "a", value: '{"n":1}', metadata: { m: 1 }, expiration },
    { key: "b", value: "2" },
    { key: "text", value: "x" },
  ]);
  const get = (sent: object) => test.call("post", `${at}/bulk/get`, sent);
  expect(await get({ keys: ["a", "text"] })).toEqual({ values: { a: '{"n":1}', text: "x" } });
  expect(await get({ keys: ["a", "b", "c"], type: "json" })).toEqual({ values: { a: { n: 1 }, b: 2, c: null } });
  expect(await get({ keys: ["a", "b", "c"], type: "json", withMetadata: true })).toEqual({
    values: { a: { value: { n: 1 }, metadata: { m: 1 }, expiration }, b: { value: 2, metadata: null }, c: null },
  });
  expect(await refusal(get({ keys: ["text"], type: "json" }))).toMatchObject({
    status: 400,
    message: expect.stringContaining("key 'text'"),
  });
  const many = Array.from({ length: 101 }, (_, index) => `k${index}`);
  expect(await refusal(get({ keys: many }))).toMatchObject({ status: 400, message: expect.stringContaining("100") });
});

it("lists buckets by page, order and name", async () => {
  const test = await account();
  for (const name of ["cats", "dogs", "ants"]) await test.call("post", "/r2/buckets", { name });
  const list = async (query: string) => {
    const answer = await test.sdk.get<{
      result: { buckets: readonly { name: string }[] };
      result_info: { cursor?: string };
    }>(`/accounts/${test.id}/r2/buckets?${query}`);
    return { names: answer.result.buckets.map(({ name }) => name), cursor: answer.result_info.cursor };
  };
  expect(await list("")).toEqual({ names: ["ants", "cats", "dogs"] });
  expect((await list("order=name&direction=desc")).names).toEqual(["dogs", "cats", "ants"]);
  expect((await list("name_contains=ts")).names).toEqual(["ants", "cats"]);
  expect((await list("start_after=ants")).names).toEqual(["cats", "dogs"]);
  const first = await list("per_page=2");
  expect(first.names).toEqual(["ants", "cats"]);
  expect(await list(`per_page=2&cursor=${first.cursor}`)).toEqual({ names: ["dogs"] });
  for (const query of ["per_page=0", "per_page=x", "order=size", "direction=up", "cursor=*"])
    expect(await refusal(list(query))).toMatchObject({ status: 400, code: 10021 });
});

it("lists KV namespaces and Workers in the order of the query", async () => {
  const test = await account();
  for (const title of ["b", "a"]) await test.sdk.kv.namespaces.create({ account_id: test.id, title });
  for (const name of ["b", "a"]) await test.ensure(name);
  const titles = async (query: string) => test.call("get", `/storage/kv/namespaces?${query}`);
  expect(await titles("order=title")).toMatchObject([{ title: "a" }, { title: "b" }]);
  expect(await titles("order=title&direction=desc")).toMatchObject([{ title: "b" }, { title: "a" }]);
  const names = async (query: string) => test.call("get", `/workers/workers?${query}`);
  expect(await names("order_by=name")).toMatchObject([{ name: "a" }, { name: "b" }]);
  expect(await names("order_by=created_on&order=desc")).toMatchObject([{ name: "a" }, { name: "b" }]);
  for (const at of ["/storage/kv/namespaces?order=x", "/workers/workers?order_by=x", "/workers/workers?order=x"])
    expect(await refusal(test.call("get", at))).toMatchObject({ status: 400, code: 10021 });
});

it("lists a namespace's objects a few at a time in memory, whatever lies in their write-ahead logs", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  await test.deploy("rooms", { classes: ["Room"], bound: ["Room"], exports: live("Room") });
  const { "rooms/Room": namespace = "" } = await test.namespaces();
  const [kept, folder] = [path.join(dir, "one.sqlite"), path.join(dir, "data/do", namespace)];
  const db = new DatabaseSync(kept);
  onTestFinished(() => db.close());
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (b);
    INSERT INTO t VALUES (zeroblob(2e6)); PRAGMA wal_checkpoint(TRUNCATE);
    UPDATE t SET b = randomblob(2e6)`);
  const ids = Array.from({ length: 100 }, (_, index) => index.toString(16).padStart(64, "0"));
  mkdirSync(folder, { recursive: true });
  for (const id of ids)
    for (const end of ["", "-wal"]) linkSync(`${kept}${end}`, path.join(folder, `${id}.sqlite${end}`));

  // Each takes three times its size while it is read: its file, its log, and both as one.
  let [reading, most] = [0, 0];
  const { hasStoredData } = ObjectFiles.prototype;
  vi.spyOn(ObjectFiles.prototype, "hasStoredData").mockImplementation(async function (this: ObjectFiles, ...of) {
    most = Math.max(most, ++reading);
    const isThere = await hasStoredData.apply(this, of);
    reading--;
    return isThere;
  });
  onTestFinished(() => void vi.restoreAllMocks());
  const listed = await test.call("get", `/workers/durable_objects/namespaces/${namespace}/objects`);
  expect(listed).toEqual(ids.map((id) => ({ id, hasStoredData: true })));
  expect([1, 2, 3, 4]).toContain(most);
});
