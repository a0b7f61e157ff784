/** Real wrangler with other kinds of projects, and its commands beside `deploy`. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";
import { startChecked, TestAccount } from "../../packages/local-account/test/support.ts";
import { type Projects, projectsIn } from "./project.ts";
import { wrangler } from "./wrangler.ts";

let dir: string;
let test: TestAccount;
let project: Projects;
beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "wrangler-projects-"));
  test = new TestAccount(await startChecked({ dir: path.join(dir, "account"), port: 0, apiPort: 0 }));
  project = projectsIn(dir, test);
});
afterAll(async () => {
  await test?.close();
  rmSync(dir, { recursive: true, force: true });
});

/** For each name, a class whose objects count. */
const counters = (names: readonly string[]) => `
import { DurableObject } from "cloudflare:workers";
${names
  .map(
    (name) => `export class ${name} extends DurableObject {
  async add() { const count = ((await this.ctx.storage.get("count")) ?? 0) + 1; await this.ctx.storage.put("count", count); return count; }
}`,
  )
  .join("\n")}
export default { fetch: async (_, env) => new Response(env.TALLY ? String(await env.TALLY.getByName("one").add()) : "no counter") };`;

const bound = (class_name: string) => ({ durable_objects: { bindings: [{ name: "TALLY", class_name }] } });
const WASM = Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0]);

it("deploys text, data and WebAssembly modules, and serves a version at its preview address", async () => {
  const code = (version: string) => `
    import text from "./note.txt"; import data from "./raw.bin"; import wasm from "./empty.wasm";
    export default { fetch: () => new Response([${JSON.stringify(version)}, text, data.byteLength, wasm instanceof WebAssembly.Module].join(" ")) };`;
  const files = { "note.txt": "note", "raw.bin": Uint8Array.of(1, 2, 3), "empty.wasm": WASM };
  const modules = project({ name: "modules" }, { "index.js": code("one"), ...files });
  await modules.ok("deploy");
  expect(await modules.ask()).toBe("one note 3 true");

  writeFileSync(path.join(modules.folder, "index.js"), code("two"));
  const uploaded = await modules.ok("versions upload --tag t2 --message second --preview-alias next");
  const id = /Worker Version ID: (\S+)/.exec(uploaded)?.[1] ?? "";
  expect(await modules.ask()).toBe("one note 3 true");
  for (const prefix of [id.slice(0, 8), "next"]) {
    expect(uploaded).toContain(`https://${prefix}-modules.`);
    expect((await test.ask(`${prefix}-modules`)).text).toBe("two note 3 true");
  }

  const list = await modules.ok("versions list");
  expect(list).toContain("second");
  const first = /Version ID:\s+(\S+)/.exec(list)?.[1] ?? "";
  await modules.ok(`versions deploy ${id}@30 ${first}@70 -y`);
  expect(await modules.ok("deployments status")).toMatch(/\(70%\)[\s\S]*\(30%\)|\(30%\)[\s\S]*\(70%\)/);
  await modules.ok(`versions deploy ${id}@100 -y`);
  expect(await modules.ask()).toBe("two note 3 true");
  expect(await modules.ok(`versions view ${id}`)).toContain("t2");
  await modules.ok(`rollback ${first} -y`);
  expect(await modules.ask()).toBe("one note 3 true");
  expect(await modules.ok("deployments list")).toMatch(/Source: +Upload\nMessage: +Automatic deployment on upload\./);
  await modules.ok("delete --force");
  expect((await test.ask("modules")).status).toBe(404);
});

it("follows a project with legacy migrations, and its move to exports", async () => {
  const steps = [{ tag: "v1", new_sqlite_classes: ["First"] }];
  const deploy = async (name: string, config: object) => {
    const legacy = project({ name: "legacy", ...bound(name), ...config }, { "index.js": counters([name]) });
    const { code, text } = await legacy.run("deploy");
    return { code, text, count: code === 0 ? await legacy.ask() : undefined };
  };
  expect(await deploy("First", { migrations: steps })).toMatchObject({ code: 0, count: "1" });
  expect(await deploy("First", { migrations: steps })).toMatchObject({ code: 0, count: "2" });
  const renamed = [...steps, { tag: "v2", renamed_classes: [{ from: "First", to: "Second" }] }];
  expect(await deploy("Second", { migrations: renamed })).toMatchObject({ code: 0, count: "3" });
  const gone = await deploy("Third", { migrations: renamed });
  expect(gone.code).not.toBe(0);
  expect(gone.text).toMatch(/10061|10064/);
  const exports = { Second: { type: "durable-object", storage: "sqlite" } };
  expect(await deploy("Second", { exports })).toMatchObject({ code: 0, count: "4" });
});

it("transfers a class between two projects in four deployments", async () => {
  const LIVE = { type: "durable-object", storage: "sqlite" };
  const deploy = async (name: string, config: object) => {
    const { ok, ask } = project({ name, ...config }, { "index.js": counters(["Room"]) });
    return { text: await ok("deploy"), answer: await ask() };
  };
  expect(await deploy("giver", { ...bound("Room"), exports: { Room: LIVE } })).toMatchObject({ answer: "1" });
  const waiting = await deploy("taker", {
    exports: { Room: { ...LIVE, state: "expecting-transfer", transfer_from: "giver" } },
  });
  expect(waiting.text).toContain("Transfer pending: Room ← giver");
  const given = await deploy("giver", {
    exports: { Room: { type: "durable-object", state: "transferred", transferred_to: "taker" } },
  });
  expect(given.text).toContain("Transferred (committed): Room → taker");
  expect(await deploy("taker", { ...bound("Room"), exports: { Room: LIVE } })).toMatchObject({ answer: "2" });
});

it("keeps secrets, and asks before it goes back to an older secret", async () => {
  const secrets = project(
    { name: "secrets" },
    { "index.js": `export default { fetch: (_, env) => new Response(env.TOKEN ?? "none") };` },
  );
  await secrets.ok("deploy");
  await secrets.ok("secret put TOKEN", "hush");
  expect(await secrets.ask()).toBe("hush");
  // The upload does not name the secret, and its code cannot start without it.
  secrets.write(
    "index.js",
    `import { env } from "cloudflare:workers"; const token = env.TOKEN.trim(); export default { fetch: () => new Response(token) };`,
  );
  await secrets.ok("deploy");
  expect(await secrets.ask()).toBe("hush");
  expect(await secrets.ok("secret list")).toContain('"TOKEN"');
  await secrets.ok("secret put TOKEN", "other");
  expect(await secrets.ok("rollback -y")).toContain("* TOKEN");
  expect(await secrets.ask()).toBe("hush");
});

it("manages KV, R2 and the account", async () => {
  const { ok, folder } = project({ name: "storage" }, { "file.txt": "contents" });
  expect(await ok("whoami")).toContain(test.id);
  const id = /"id": "([0-9a-f]{32})"/.exec(await ok("kv namespace create reads"))?.[1] ?? "";
  await ok(`kv key put --remote --namespace-id ${id} a/b hello`);
  expect(await ok(`kv key get --remote --namespace-id ${id} a/b`)).toContain("hello");
  expect(await ok(`kv key list --remote --namespace-id ${id}`)).toContain('"a/b"');
  await ok(`kv key delete --remote --namespace-id ${id} a/b`);
  expect(
    (await wrangler(test.running, folder, ["kv", "key", "get", "--remote", "--namespace-id", id, "a/b"])).code,
  ).not.toBe(0);
  await ok("r2 bucket create blobs");
  await ok("r2 object put blobs/x/file.txt --file file.txt --remote");
  expect(await ok("r2 object get blobs/x/file.txt --remote --pipe")).toContain("contents");
  expect(JSON.parse(await ok("r2 bucket info blobs --json"))).toMatchObject({ object_count: "1", bucket_size: "8 B" });
  await ok("r2 object delete blobs/x/file.txt --remote");
  writeFileSync(
    path.join(folder, "cors.json"),
    JSON.stringify({ rules: [{ allowed: { origins: ["https://shop.example.com"], methods: ["GET"] } }] }),
  );
  await ok("r2 bucket cors set blobs --file cors.json --force");
  expect(await ok("r2 bucket cors list blobs")).toContain("https://shop.example.com");
  await ok("r2 bucket cors delete blobs --force");
  await ok("r2 bucket lifecycle add blobs old old/ --expire-days 30 --force");
  expect(await ok("r2 bucket lifecycle list blobs")).toMatch(/name: +old[\s\S]*Expire objects after 30 days/);
  await ok("r2 bucket lifecycle remove blobs --name old");
  await ok("r2 bucket delete blobs");
});

it("sets routes, custom domains and cron triggers", async () => {
  const triggers = project(
    {
      name: "triggers",
      routes: [
        { pattern: "www.example.com/api/*", zone_name: "example.com" },
        { pattern: "app.example.com", custom_domain: true },
      ],
      triggers: { crons: ["*/5 * * * *"] },
    },
    {
      "index.js": `let fired = "not yet";
        export default { fetch: () => new Response(fired), scheduled: ({ cron }) => { fired = cron; } };`,
    },
  );
  await triggers.ok("deploy");
  await triggers.ok("deploy");
  expect((await test.visit("app.example.com")).text).toBe("not yet");
  await test.sdk.post("/local/cron", { body: { worker: "triggers" } });
  expect((await test.visit("www.example.com", "/api/x")).text).toBe("*/5 * * * *");
});

it("shows live logs", async () => {
  const logs = project(
    { name: "logs" },
    { "index.js": `export default { fetch: () => { console.log("a line of the log"); return new Response("ok"); } };` },
  );
  await logs.ok("deploy");
  const tail = spawn(
    process.execPath,
    [path.join(ROOT, "node_modules/wrangler/bin/wrangler.js"), "tail", "--format", "pretty"],
    {
      cwd: logs.folder,
      env: {
        ...process.env,
        CLOUDFLARE_API_BASE_URL: test.running.apiUrl,
        CLOUDFLARE_ACCOUNT_ID: test.id,
        CLOUDFLARE_API_TOKEN: test.running.token,
        WRANGLER_SEND_METRICS: "false",
      },
    },
  );
  try {
    let text = "";
    const saw = (words: string) =>
      new Promise<void>((resolve) => {
        const look = () => text.includes(words) && resolve();
        tail.stdout.on("data", look);
        look();
      });
    tail.stdout.on("data", (chunk) => {
      text += chunk;
    });
    await saw("Connected to logs");
    await logs.ask();
    await saw("a line of the log");
  } finally {
    tail.kill("SIGINT");
  }
});

it("manages D1, applies its migrations, and deploys a Worker that reads it", async () => {
  const files = {
    "index.js": `export default { fetch: async (_, env) => Response.json((await env.DB.prepare("SELECT name FROM people ORDER BY name").raw()).flat()) };`,
    "seed.sql": "INSERT INTO people VALUES ('b; c');\nINSERT INTO people VALUES ('d');",
    "migrations/0001_people.sql":
      "CREATE TABLE people (name TEXT);\nCREATE TRIGGER once AFTER DELETE ON people BEGIN SELECT 1; END;\nINSERT INTO people VALUES ('a');",
  };
  const { ok } = project({ name: "data" }, files);
  const database_id = /"database_id": "([0-9a-f-]{36})"/.exec(await ok("d1 create people"))?.[1] ?? "";
  const data = project(
    { name: "data", d1_databases: [{ binding: "DB", database_name: "people", database_id }] },
    files,
  );
  expect(await data.ok("d1 migrations apply people --remote")).toContain("0001_people.sql");
  expect(await data.ok("d1 execute people --remote --file seed.sql -y")).toContain("Executed 2 queries");
  expect(await data.ok("d1 execute people --remote --command SELEKT -y").catch(String)).toContain("7500");
  await data.ok("deploy");
  expect(JSON.parse(await data.ask())).toEqual(["a", "b; c", "d"]);
  expect(await data.ok("d1 list")).toContain("people");
  await data.ok("d1 delete people -y");
});
