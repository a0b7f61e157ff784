/** D1 databases: through the API, from a Worker, and over a restart. */
import { readdirSync } from "node:fs";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import * as v from "valibot";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Bookmarks, MOST_BOOKMARKS } from "../src/bookmarks.ts";
import { statementsOf } from "../src/sql.ts";
import { account, refusal, temporaryDirectory } from "./support.ts";

describe("several statements in one text", () => {
  it.each([
    ["", []],
    [" ; ;; -- nothing; \n", []],
    ["SELECT 1", ["SELECT 1"]],
    ["SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]],
    [
      `SELECT ';', "a;b", [c;d] -- e;\n; /* f; */ SELECT 'it''s;'`,
      [`SELECT ';', "a;b", [c;d] -- e;`, "/* f; */ SELECT 'it''s;'"],
    ],
    [
      "CREATE TEMP TRIGGER t AFTER INSERT ON x BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; DELETE FROM y; END; SELECT 3",
      ["CREATE TEMP TRIGGER t AFTER INSERT ON x BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; DELETE FROM y; END", "SELECT 3"],
    ],
    ["SELECT 'unfinished; and", ["SELECT 'unfinished", "and"]],
  ])("%j", (sql, expected) => {
    expect(statementsOf(sql)).toEqual(expected);
  });
});

it("creates, finds and deletes databases with their data", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  const { sdk, id: account_id } = test;
  const { uuid = "" } = await sdk.d1.database.create({ account_id, name: "app" });
  expect(await refusal(test.call("post", "/d1/database", { name: "app" }))).toMatchObject({ status: 400, code: 7502 });
  expect(await sdk.d1.database.get("app", { account_id })).toMatchObject({ uuid, name: "app" });
  expect((await sdk.d1.database.list({ account_id })).result.map(({ name }) => name)).toEqual(["app"]);
  await test.call("post", `/d1/database/${uuid}/query`, { sql: "CREATE TABLE t (n)" });
  const files = () =>
    readdirSync(path.join(dir, "data/d1"), { recursive: true }).filter((name) => /[0-9a-f]{64}/.test(String(name)));
  expect(files()).not.toEqual([]);
  await sdk.d1.database.delete(uuid, { account_id });
  expect(files()).toEqual([]);
  expect(await refusal(test.call("get", `/d1/database/${uuid}`))).toMatchObject({ status: 404, code: 7404 });
  expect(await refusal(test.call("post", "/d1/database/app/query", { sql: "SELECT 1" }))).toMatchObject({ code: 7404 });
});

it("answers queries, all statements or none, and shares the data with Workers", async () => {
  const dir = temporaryDirectory();
  let test = await account({ dir });
  const { uuid = "" } = await test.sdk.d1.database.create({ account_id: test.id, name: "app" });
  const query = (body: object) => test.call("post", `/d1/database/${uuid}/query`, body);
  expect(
    await query({ sql: "CREATE TABLE t (n, s TEXT); INSERT INTO t VALUES (1, 'a;b'); SELECT * FROM t;" }),
  ).toMatchObject([
    { success: true, results: [] },
    { success: true, meta: { changes: 1 } },
    { results: [{ n: 1, s: "a;b" }] },
  ]);
  expect(await query({ sql: "INSERT INTO t VALUES (?, ?) RETURNING n", params: [2, "two"] })).toMatchObject([
    { results: [{ n: 2 }] },
  ]);
  expect(await query({ batch: [{ sql: "SELECT 1 AS x" }, { sql: "SELECT ? AS y", params: ["z"] }] })).toMatchObject([
    { results: [{ x: 1 }] },
    { results: [{ y: "z" }] },
  ]);
  expect(await refusal(query({ sql: "INSERT INTO t VALUES (3, ''); SELECT * FROM missing" }))).toMatchObject({
    status: 400,
    code: 7500,
    message: expect.stringContaining("no such table: missing"),
  });
  expect(await refusal(query({ sql: "SELECT ?; SELECT ?", params: [1] }))).toMatchObject({ code: 7500 });
  expect(await refusal(query({ sql: " " }))).toMatchObject({ code: 7500 });

  const binding = { type: "d1", name: "DB", id: uuid };
  expect(await refusal(test.deploy("app", { bindings: [{ ...binding, id: "nothing" }] }))).toMatchObject({
    code: 10181,
  });
  await test.deploy("app", {
    bindings: [{ type: "d1", name: "DB", database_id: uuid }],
    fetch: `return Response.json(await env.DB.prepare("SELECT count(*) AS count FROM t").first());`,
  });
  expect((await test.ask("app")).json()).toEqual({ count: 2 });
  await test.close();
  test = await account({ dir });
  expect((await test.ask("app")).json()).toEqual({ count: 2 });
});

it("restores a database to a bookmark, and back again", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  const { sdk, id: account_id } = test;
  const { uuid = "" } = await sdk.d1.database.create({ account_id, name: "app" });
  await test.deploy("app", {
    bindings: [{ type: "d1", name: "DB", id: uuid }],
    fetch: `
      if (url.pathname === "/add") await env.DB.exec("INSERT INTO t VALUES (1)");
      return Response.json({ rows: await env.DB.prepare("SELECT count(*) FROM t").first("count(*)") });`,
  });
  const { timeTravel } = sdk.d1.database;
  const rows = async (at = "/") => (await test.ask("app", at)).json().rows;
  const restore = (at: { readonly bookmark?: string; readonly timestamp?: string }) =>
    timeTravel.restore(uuid, { account_id, ...at });
  await test.call("post", `/d1/database/${uuid}/query`, { sql: "CREATE TABLE t (n)" });
  const before = new Date();
  expect(await rows("/add")).toBe(1);
  const { bookmark = "" } = await timeTravel.getBookmark(uuid, { account_id });
  expect(await timeTravel.getBookmark(uuid, { account_id })).toEqual({ bookmark });
  expect(await rows("/add")).toBe(2);
  const restored = await restore({ bookmark });
  expect(restored).toMatchObject({ bookmark });
  expect(await rows()).toBe(1);
  expect(await rows("/add")).toBe(2);
  await restore({ bookmark: restored.previous_bookmark ?? "" });
  expect(await rows()).toBe(2);

  expect(await refusal(restore({ bookmark: "../../account.db" }))).toMatchObject({ status: 400, code: 7400 });
  expect(await refusal(restore({ timestamp: before.toISOString() }))).toMatchObject({
    status: 501,
    message: expect.stringContaining(bookmark),
  });
  const { bookmark: now = "" } = await timeTravel.getBookmark(uuid, {
    account_id,
    timestamp: new Date().toISOString(),
  });
  await restore({ bookmark: now });
  expect(await rows()).toBe(2);
  expect(readdirSync(path.join(dir, "data/d1-bookmarks"))).toEqual([uuid]);
  await sdk.d1.database.delete(uuid, { account_id });
  expect(readdirSync(path.join(dir, "data/d1-bookmarks"))).toEqual([]);
});

it("keeps the newest bookmarks of a database, and restores the oldest of them", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  const { sdk, id: account_id } = test;
  const { uuid = "" } = await sdk.d1.database.create({ account_id, name: "app" });
  const { timeTravel } = sdk.d1.database;
  const query = (sql: string) => test.call("post", `/d1/database/${uuid}/query`, { sql });
  await query("CREATE TABLE t (n)");
  const made: string[] = [];
  for (let n = 1; n <= MOST_BOOKMARKS + 2; n++) {
    await query(`INSERT INTO t VALUES (${n})`);
    made.push((await timeTravel.getBookmark(uuid, { account_id })).bookmark ?? "");
  }
  const kept = () => readdirSync(path.join(dir, "data/d1-bookmarks", uuid)).sort();
  expect(kept()).toEqual(made.slice(2));
  const [, dropped = "", oldest = ""] = made;
  const refused = await refusal(timeTravel.restore(uuid, { account_id, bookmark: dropped }));
  expect(refused).toMatchObject({ status: 400, message: expect.stringContaining(`the newest ${MOST_BOOKMARKS} are`) });

  await query("INSERT INTO t VALUES (99)");
  const { previous_bookmark: previous = "" } = await timeTravel.restore(uuid, { account_id, bookmark: oldest });
  expect(await query("SELECT max(n) AS most FROM t")).toMatchObject([{ results: [{ most: 3 }] }]);
  expect(kept()).toEqual([...made.slice(2), previous]);
});

it("keeps a bookmark that was just handed out, also after the clock was set back", async () => {
  const dir = temporaryDirectory();
  const file = path.join(dir, "app.sqlite");
  const db = new DatabaseSync(file);
  onTestFinished(() => db.close());
  db.exec("CREATE TABLE t (n)");
  const bookmarks = new Bookmarks(path.join(dir, "bookmarks"), file);
  const next = () => {
    db.exec("INSERT INTO t VALUES (1)");
    return bookmarks.now();
  };
  for (let n = 0; n < MOST_BOOKMARKS; n++) await next();
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 3_600_000 });
  onTestFinished(() => void vi.useRealTimers());
  const handedOut = await next();
  await next();
  await expect(bookmarks.check(handedOut)).resolves.toBeUndefined();
});

it.each([
  ["writeFile", ".new"],
  ["rm", "-wal"],
  ["rename", ".new"],
] as const)("keeps a database as it was where a restore of it fails at %s", async (step, end) => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  const { sdk, id: account_id } = test;
  const { uuid = "" } = await sdk.d1.database.create({ account_id, name: "app" });
  const query = (sql: string) => test.call("post", `/d1/database/${uuid}/query`, { sql });
  await query("CREATE TABLE t (n)");
  const { bookmark = "" } = await sdk.d1.database.timeTravel.getBookmark(uuid, { account_id });
  await query("INSERT INTO t VALUES (1)");
  // So that the restore makes no bookmark of its own.
  await sdk.d1.database.timeTravel.getBookmark(uuid, { account_id });
  const database = readdirSync(path.join(dir, "data/d1"), { recursive: true }).find((name) =>
    /[0-9a-f]{64}\.sqlite$/.test(String(name)),
  );
  expect(readdirSync(path.join(dir, "data/d1"), { recursive: true })).toContain(`${database}-wal`);
  const undo = failing(step, `${database}${end}`);
  await refusal(sdk.d1.database.timeTravel.restore(uuid, { account_id, bookmark }, { maxRetries: 0 }));
  undo();
  expect(await query("SELECT n FROM t")).toMatchObject([{ results: [{ n: 1 }] }]);
  expect(readdirSync(path.join(dir, "data/d1"), { recursive: true })).not.toContain(`${database}.new`);
  await sdk.d1.database.timeTravel.restore(uuid, { account_id, bookmark });
  expect(await query("SELECT n FROM t")).toMatchObject([{ results: [] }]);
});

/** Makes a function of `node:fs/promises` fail for this file, as a full disk does. Returns what ends that. */
function failing(name: "writeFile" | "rm" | "rename", file: string): () => void {
  const full = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC", errno: -28 });
  const kept = fs[name];
  const spy = vi.spyOn(fs, name).mockImplementation(async (...args: unknown[]) => {
    if (String(args[0]).includes(file)) throw full;
    return Reflect.apply(kept, fs, args);
  });
  syncBuiltinESMExports();
  const undo = () => {
    spy.mockRestore();
    syncBuiltinESMExports();
  };
  onTestFinished(undo);
  return undo;
}

it("keeps an export for who fetches it, whoever has looked at its address before", async () => {
  const test = await account();
  await test.sdk.d1.database.create({ account_id: test.id, name: "app" });
  await test.call("post", "/d1/database/app/query", { sql: "CREATE TABLE kept (n)" });
  const exported = await test.call("post", "/d1/database/app/export", { output_format: "polling" });
  const { signed_url: url } = v.parse(Exported, exported).result;
  expect((await fetch(url, { method: "HEAD" })).status).toBe(200);
  expect(await (await fetch(url)).text()).toContain("CREATE TABLE kept");
  expect((await fetch(url)).status).toBe(404);
});

it("forgets an export and an upload that nobody comes back for", async () => {
  const test = await account();
  await test.sdk.d1.database.create({ account_id: test.id, name: "app" });
  const timers = vi.spyOn(globalThis, "setTimeout");
  onTestFinished(() => timers.mockRestore());
  const exported = await test.call("post", "/d1/database/app/export", { output_format: "polling" });
  const upload = await test.call("post", "/d1/database/app/import", { action: "init", etag: "x" });
  const { signed_url: dump } = v.parse(Exported, exported).result;
  const { upload_url: file } = v.parse(v.object({ upload_url: v.string() }), upload);
  expect((await fetch(file, { method: "PUT", body: "SELECT 1" })).status).toBe(200);
  expect((await fetch(dump, { method: "HEAD" })).status).toBe(200);
  for (const [end, delay] of timers.mock.calls) if (delay === 60 * 60 * 1_000) end();
  expect((await fetch(file, { method: "PUT", body: "SELECT 1" })).status).toBe(404);
  expect((await fetch(dump)).status).toBe(404);
});

const Exported = v.object({ result: v.object({ signed_url: v.string() }) });

it("refuses to export a database with a virtual table, by Cloudflare's sentence and no more", async () => {
  const test = await account();
  await test.call("post", "/d1/database", { name: "app" });
  await test.call("post", "/d1/database/app/query", { sql: "CREATE VIRTUAL TABLE notes USING fts5(text)" });
  expect(await refusal(test.call("post", "/d1/database/app/export", { output_format: "polling" }))).toMatchObject({
    status: 400,
    code: 7500,
    message: "cannot export databases with Virtual Tables (fts5)",
  });
});
