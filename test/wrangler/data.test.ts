/** Real wrangler and stored data on the local account: bulk writes, and the export of a database. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { account, temporaryDirectory } from "../../packages/local-account/test/support.ts";
import { projectsIn } from "./project.ts";

const CODE = "export default { fetch: () => new Response() };";

it("writes, gets and deletes many keys", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  const { id } = await test.sdk.kv.namespaces.create({ account_id: test.id, title: "kv" });
  const pairs = Array.from({ length: 2_500 }, (_, index) => ({ key: `key-${index}`, value: `value ${index}` }));
  const files = { "index.js": CODE, "pairs.json": JSON.stringify(pairs), "keys.json": JSON.stringify(["key-7"]) };
  const { ok } = projectsIn(dir, test)({ name: "app" }, files);
  await ok(`kv bulk put pairs.json --namespace-id ${id} --remote`);
  expect(await ok(`kv key get key-2499 --namespace-id ${id} --remote`)).toContain("value 2499");
  expect(await ok(`kv bulk get keys.json --namespace-id ${id} --remote`)).toContain("value 7");
  await ok(`kv bulk delete keys.json --namespace-id ${id} --remote --force`);
  expect(await ok(`kv bulk get keys.json --namespace-id ${id} --remote`)).not.toContain("value 7");
});

it("keeps the address of a database outside", async () => {
  const dir = temporaryDirectory();
  const { ok } = projectsIn(dir, await account({ dir }))({ name: "outside" }, { "index.js": CODE });
  const address = "postgres://me:secret@127.0.0.1:5432/shop";
  const id = /[0-9a-f]{32}/.exec(await ok(`hyperdrive create outside --connection-string=${address}`))?.[0];
  expect(await ok("hyperdrive list")).toMatch(/outside[^\n]*me[^\n]*127\.0\.0\.1/);
  expect(await ok(`hyperdrive get ${id}`)).not.toContain("secret");
  await ok(`hyperdrive delete ${id}`);
});

it("exports a database as SQL, whole or in part", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  const { uuid = "" } = await test.sdk.d1.database.create({ account_id: test.id, name: "shop" });
  const sql =
    "CREATE TABLE items (id INTEGER, name TEXT); INSERT INTO items VALUES (1, 'a ''b'''); CREATE TABLE other (id)";
  await test.call("post", `/d1/database/${uuid}/query`, { sql });
  const d1_databases = [{ binding: "DB", database_name: "shop", database_id: uuid }];
  const { ok, folder } = projectsIn(dir, test)({ name: "app", d1_databases }, { "index.js": CODE });
  const written = (file: string) => readFileSync(path.join(folder, file), "utf8");
  const bookmark = /--bookmark=([0-9a-f-]+)/.exec(await ok("d1 time-travel info shop"))?.[1];
  expect(JSON.parse(await ok(`d1 time-travel restore shop --bookmark=${bookmark} --json`))).toMatchObject({ bookmark });
  await ok("d1 export shop --remote --output all.sql");
  expect(written("all.sql")).toContain("INSERT INTO \"items\" (\"id\",\"name\") VALUES(1,'a ''b''');");
  await ok("d1 export shop --remote --output schema.sql --no-data --table items");
  expect(written("schema.sql")).toContain("CREATE TABLE items");
  expect(written("schema.sql")).not.toMatch(/INSERT|other/);
});
