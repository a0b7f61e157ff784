/** The data that the account's page shows: objects and their rows, keys, buckets, databases. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { account, live, type TestAccount, temporaryDirectory } from "./support.ts";
import { data, get } from "./view-support.ts";

/** `/<method>/<name>`: calls an object of the class `Room`, or writes to a binding. */
const ROOM = `
import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
  }
  say(count = 1) {
    this.sql.exec("CREATE TABLE IF NOT EXISTS said (seq INTEGER PRIMARY KEY, text TEXT, at INTEGER, score REAL, bytes BLOB)");
    for (let i = 0; i < count; i++)
      this.sql.exec("INSERT INTO said (text, at, score, bytes) VALUES (?, ?, ?, ?)", "hello", 1795675350898, 0.5, new Uint8Array([1, 2, 255]).buffer);
    return this.sql.exec("SELECT count(*) AS n FROM said").one().n;
  }
  odd() {
    this.sql.exec('CREATE TABLE "odd ""name""; DROP TABLE said" (big INTEGER, long TEXT)');
    this.sql.exec('INSERT INTO "odd ""name""; DROP TABLE said" VALUES (9007199254740993, ?)', "x".repeat(10_000));
    return 0;
  }
  async remember() {
    await this.ctx.storage.put("who", { name: "ada", seen: new Date(0) });
    return 0;
  }
  async wake() {
    await this.ctx.storage.setAlarm(Date.now() + 3_600_000);
    return 0;
  }
  async forget() {
    await this.ctx.storage.deleteAll();
    return 0;
  }
  async alarm() {}
}
export default {
  async fetch(request, env) {
    const [, method, name, count] = new URL(request.url).pathname.split("/");
    return Response.json(await env.Room.getByName(decodeURIComponent(name))[method](...(count ? [Number(count)] : [])));
  },
};`;

/** An account with the Worker `app`, and the id of the namespace of its class. */
async function withRoom(options: { readonly dir?: string } = {}): Promise<{ test: TestAccount; rooms: string }> {
  const test = await account(options);
  await test.ensure("app");
  await test.call("post", "/workers/workers/app/versions?deploy=true", {
    main_module: "index.js",
    compatibility_date: "2026-11-01",
    modules: [
      {
        name: "index.js",
        content_type: "application/javascript+module",
        content_base64: Buffer.from(ROOM).toString("base64"),
      },
    ],
    bindings: [{ type: "durable_object_namespace", name: "Room", class_name: "Room" }],
    exports: live("Room"),
  });
  const { "app/Room": rooms = "" } = await test.namespaces();
  return { test, rooms };
}

const call = async (test: TestAccount, at: string): Promise<number> => {
  const { status, text } = await test.ask("app", at);
  expect(status, text).toBe(200);
  return Number(text);
};

it("lists a class's objects, last written first, with names that are known from an alarm or a look-up", async () => {
  const { test, rooms } = await withRoom();
  expect(await data(test, `objects/${rooms}`)).toMatchObject({ total: 0, pages: 1, objects: [] });
  await call(test, "/say/lobby");
  await call(test, "/say/kitchen");
  await call(test, "/wake/kitchen");

  const list = await data(test, `objects/${rooms}`);
  expect(list.namespace).toMatchObject({ worker: "app", className: "Room", objects: 2 });
  expect(list.objects).toMatchObject([
    { name: "kitchen", alarmAt: expect.stringMatching(/^20\d\d-/) },
    { name: null, alarmAt: null },
  ]);

  const found = await data(test, `objects/${rooms}/find?name=lobby`);
  expect(found).toEqual({ id: list.objects[1].id, name: "lobby", exists: true });
  expect((await data(test, `objects/${rooms}`)).objects[1].name).toBe("lobby");
  expect(await data(test, `objects/${rooms}/find?name=nobody`)).toMatchObject({ exists: false });
  // An id finds its object too, and is not a name.
  await data(test, `objects/${rooms}/find?name=${found.id}`);
  expect((await data(test, `objects/${rooms}/${found.id}`)).object.name).toBe("lobby");
});

it("shows the tables of an object and their rows, page by page, with any names and values", async () => {
  const { test, rooms } = await withRoom();
  await call(test, "/say/lobby/120");
  await call(test, "/odd/lobby");
  const { id } = await data(test, `objects/${rooms}/find?name=lobby`);

  const first = await data(test, `objects/${rooms}/${id}?table=said`);
  expect(first.tables).toEqual([
    { name: 'odd "name"; DROP TABLE said', isKeyValue: false, rows: 1 },
    { name: "said", isKeyValue: false, rows: 120 },
  ]);
  expect(first.shown).toMatchObject({ table: "said", page: 1, pages: 3, total: 120, first: 1 });
  expect(first.shown.columns).toEqual(["seq", "text", "at", "score", "bytes"]);
  expect(first.shown.rows[0]).toEqual([
    { type: "integer", value: "1" },
    { type: "text", value: "hello" },
    { type: "integer", value: "1795675350898" },
    { type: "real", value: "0.5" },
    { type: "blob", hex: "0102ff", length: 3 },
  ]);
  const last = await data(test, `objects/${rooms}/${id}?table=said&page=99`);
  expect(last.shown).toMatchObject({ page: 3, first: 101 });
  expect(last.shown.rows).toHaveLength(20);

  const odd = await data(test, `objects/${rooms}/${id}?table=${encodeURIComponent(first.tables[0].name)}`);
  const [big, long] = odd.shown.rows[0];
  expect(big).toEqual({ type: "integer", value: "9007199254740993" });
  expect(long).toEqual({ type: "text", value: "x".repeat(4_000), length: 10_000 });
});

it("shows values of the key-value methods, and that an object has stored nothing", async () => {
  const { test, rooms } = await withRoom();
  await call(test, "/remember/lobby");
  const { id } = await data(test, `objects/${rooms}/find?name=lobby`);
  const { tables, shown } = await data(test, `objects/${rooms}/${id}`);
  expect(tables).toEqual([{ name: "_cf_KV", isKeyValue: true, rows: 1 }]);
  expect(shown.rows).toEqual([
    [
      { type: "text", value: "who" },
      { type: "value", value: "{ name: 'ada', seen: 1970-01-01T00:00:00.000Z }" },
    ],
  ]);
  await call(test, "/forget/lobby");
  expect(await data(test, `objects/${rooms}/${id}`)).toMatchObject({ tables: [], shown: null });
});

it("reads while the object is written, deleted and created again, disturbs no write and leaves no file", async () => {
  const dir = temporaryDirectory();
  const { test, rooms } = await withRoom({ dir });
  await call(test, "/say/busy");
  await call(test, "/say/gone");
  const ids = await Promise.all(
    ["busy", "gone"].map(async (name) => (await data(test, `objects/${rooms}/find?name=${name}`)).id),
  );
  let isWriting = true;
  let reads = 0;
  let written = 1;
  const writes = Promise.all([
    // On a slow machine more is written, until enough was read meanwhile.
    (async () => {
      while (written < 60 || reads < 6) expect(await call(test, "/say/busy")).toBe(++written);
    })(),
    (async () => {
      for (let round = 0; round < 15; round++) {
        await call(test, "/forget/gone");
        expect(await call(test, "/say/gone")).toBe(1);
      }
    })(),
  ]).finally(() => {
    isWriting = false;
  });
  let seen = 0;
  while (isWriting) {
    const [busy, gone] = await Promise.all([
      data(test, `objects/${rooms}/${ids[0]}`),
      get(test.running.apiPort, `/data/objects/${rooms}/${ids[1]}`),
    ]);
    // Rows and their count are of one moment, and no later read sees fewer.
    expect(busy.shown.total).toBeGreaterThanOrEqual(seen);
    expect(busy.shown.rows.length).toBe(Math.min(busy.shown.total, 50));
    // Between its deletion and its next creation it has no file.
    expect([200, 404], gone.text).toContain(gone.status);
    expect(JSON.parse(gone.text).shown?.total ?? 0).toBeLessThanOrEqual(1);
    seen = busy.shown.total;
    reads += 1;
  }
  await writes;
  expect((await data(test, `objects/${rooms}/${ids[0]}`)).shown.total).toBe(written);
  await test.close();

  // Now nobody has the files open, and reading them opens none.
  const folder = path.join(dir, "data", "do", rooms);
  const files = readdirSync(folder);
  const again = await account({ dir });
  expect((await data(again, `objects/${rooms}/${ids[0]}`)).shown.total).toBe(written);
  expect((await data(again, `objects/${rooms}`)).objects).toHaveLength(2);
  expect(readdirSync(folder)).toEqual(files);
});

it("says what does not exist, and reads no other file", async () => {
  const { test, rooms } = await withRoom();
  const { apiPort } = test.running;
  for (const [at, words] of [
    ["objects/nope", "There is no Durable Object namespace nope."],
    [`objects/${rooms}/${"0".repeat(64)}`, `Room has no object ${"0".repeat(64)} that has stored anything.`],
    [`objects/${rooms}/${encodeURIComponent("../../../account")}`, "Room has no object ../../../account"],
    [`objects/${rooms}/metadata`, "Room has no object metadata"],
    ["kv/nope", "There is no KV namespace nope."],
    ["buckets/nope", "There is no R2 bucket nope."],
    ["databases/nope", "There is no D1 database nope."],
  ]) {
    const { status, text } = await get(apiPort, `/data/${at}`);
    expect([status, JSON.parse(text).error], at).toEqual([404, expect.stringContaining(words ?? "")]);
  }
});

it("shows keys and values of KV, page by page", async () => {
  const test = await account();
  const { id } = await test.sdk.kv.namespaces.create({ account_id: test.id, title: "reads" });
  // It is known to be empty without making it reachable, which would restart the runtime.
  expect(await data(test, `kv/${id}`)).toEqual({ id, title: "reads", keys: [], next: null });

  const at = `/storage/kv/namespaces/${id}`;
  const pairs = Array.from({ length: 60 }, (_, index) => ({
    key: `user/${String(index).padStart(2, "0")}`,
    value: `number ${index}`,
    ...(index === 0 && { metadata: { plan: "free" }, expiration_ttl: 3_600 }),
  }));
  await test.call("put", `${at}/bulk`, [...pairs, { key: "raw", value: "AAH/", base64: true }]);
  const first = await data(test, `kv/${id}`);
  expect(first.keys).toHaveLength(50);
  expect(first.keys[0]).toEqual({
    name: "raw",
    expiresAt: null,
    metadata: null,
  });
  expect(first.keys[1]).toEqual({
    name: "user/00",
    expiresAt: expect.stringMatching(/^20\d\d-/),
    metadata: '{"plan":"free"}',
  });
  const second = await data(test, `kv/${id}?after=${encodeURIComponent(first.next)}`);
  expect(second).toMatchObject({ next: null, keys: { length: 11 } });

  expect(await data(test, `kv/${id}/value?key=user%2F07`)).toEqual({
    key: "user/07",
    bytes: 8,
    text: "number 7",
    isCut: false,
  });
  expect(await data(test, `kv/${id}/value?key=raw`)).toEqual({ key: "raw", bytes: 3, text: null, isCut: false });
  const gone = await get(test.running.apiPort, `/data/kv/${id}/value?key=gone`);
  expect([gone.status, JSON.parse(gone.text).error]).toEqual([404, 'reads no longer has the key "gone".']);
});

it("shows the metadata of a bucket's objects, and not their contents", async () => {
  const test = await account();
  await test.call("post", "/r2/buckets", { name: "blobs" });
  expect(await data(test, "buckets/blobs")).toEqual({ key: "blobs", name: "blobs", objects: [], next: null });
  const sent = await fetch(`${test.running.apiUrl}/accounts/${test.id}/r2/buckets/blobs/objects/notes/a.txt`, {
    method: "PUT",
    headers: { authorization: `Bearer ${test.running.token}`, "content-type": "text/plain" },
    body: "for your eyes only",
  });
  expect(sent.status).toBe(200);
  const { objects, next } = await data(test, "buckets/blobs");
  expect(next).toBeNull();
  expect(objects).toEqual([
    {
      key: "notes/a.txt",
      bytes: 18,
      contentType: "text/plain",
      uploadedAt: expect.stringMatching(/^20\d\d-/),
      etag: expect.stringMatching(/^[0-9a-f]{32}$/),
      metadata: null,
    },
  ]);
});

it("shows the tables of a D1 database", async () => {
  const test = await account();
  const { uuid = "" } = await test.sdk.d1.database.create({ account_id: test.id, name: "shop" });
  expect(await data(test, `databases/${uuid}`)).toEqual({ id: uuid, name: "shop", tables: [], shown: null });
  await test.call("post", `/d1/database/${uuid}/query`, {
    sql: "CREATE TABLE goods (name TEXT, price INTEGER); INSERT INTO goods VALUES ('tea', 3)",
  });
  expect(await data(test, `databases/${uuid}`)).toMatchObject({
    tables: [{ name: "goods", rows: 1 }],
    shown: {
      rows: [
        [
          { type: "text", value: "tea" },
          { type: "integer", value: "3" },
        ],
      ],
    },
  });
});
