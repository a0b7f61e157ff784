/**
 * Bindings and settings of wrangler.jsonc, built and applied as by `npm start`: the Worker has them, the account shows
 * them, applying again changes nothing, and removed ones are gone.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunningAccount } from "@durable-stack/local-account";
import * as v from "valibot";
import { afterAll, beforeAll, expect, it } from "vitest";
import { STATE_FILE } from "../../infra/apply/state.ts";
import { ROOT } from "../../infra/release/root.ts";
import { addsNothing } from "../../infra/stack/program-bindings.ts";
import { projectName } from "../../infra/stack/project.ts";
import { setFaults, startChecked, TestAccount } from "../../packages/local-account/test/support.ts";
import { patterns } from "../../worker/patterns.ts";
import { ProjectCopy } from "../project-copy.ts";
import { asShipped, WORKER_FILE } from "../worker-file.ts";
import { buildAndApply } from "./deploy.ts";

const NAME = projectName();

const [{ binding }] = patterns;

let dir: string;
let account: RunningAccount;
let test: TestAccount;
let project: ProjectCopy;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "extras-"));
  account = await startChecked({ dir, port: 0, apiPort: 0 });
  test = new TestAccount(account);
  project = new ProjectCopy();
  for (const name of ["auth", "auth-two"]) await upload(name);
  writeFileSync(
    join(project.root, "worker/extras.ts"),
    `export * from "./index.ts";
    let fired = "never";
    export default {
      scheduled({ cron }) { fired = cron; },
      async fetch(_, env) {
        const limited = [];
        if (env.LIMIT) for (let i = 0; i < 3; i++) limited.push((await env.LIMIT.limit({ key: "one" })).success);
        await env.MAILS?.send({ to: "a" });
        await env.BLOBS.put("own", "blob");
        const visits = await env.USERS?.get("visits");
        await env.USERS?.put("visits", String(Number(visits ?? 0) + 1));
        const rows = env.DB && await env.DB.batch([
          env.DB.prepare("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY)"),
          env.DB.prepare("INSERT INTO orders DEFAULT VALUES"),
          env.DB.prepare("SELECT count(*) AS n FROM orders"),
        ]);
        if (env.FILES && !(await env.FILES.get("first"))) await env.FILES.put("first", "file");
        return Response.json({
          text: env.GREETING, json: env.LEVELS, told: env.SETTINGS.environment, fired, limited, mails: typeof env.MAILS,
          visits, orders: rows?.[2].results[0].n, file: env.FILES && await (await env.FILES.get("first")).text(),
          auth: env.AUTH && await (await env.AUTH.fetch("http://auth/")).text(),
          seat: env.SEAT && await env.SEAT.getByName("a").seat(),
        });
      },
    };`,
  );
});
afterAll(async () => {
  await test?.close();
  project?.remove();
  rmSync(dir, { recursive: true, force: true });
});

const call = async (path: string, init: RequestInit = {}): Promise<unknown> => {
  const headers = { authorization: `Bearer ${account.token}`, "content-type": "application/json" };
  const answer = await fetch(`${account.apiUrl}${path.replace(":account", account.accountId)}`, { headers, ...init });
  const body: { readonly success: boolean; readonly result: unknown } = JSON.parse(await answer.text());
  expect(body.success, JSON.stringify(body)).toBe(true);
  return body.result;
};

/** Uploads another Worker, which answers with its name and has a class. */
async function upload(name: string): Promise<void> {
  const code = `import { DurableObject } from "cloudflare:workers";
    export class Seat extends DurableObject { seat() { return "${name}"; } }
    export default { fetch: () => new Response("${name}") };`;
  const form = new FormData();
  const metadata = {
    main_module: "index.js",
    compatibility_date: "2026-11-01",
    exports: { Seat: { type: "durable-object", storage: "sqlite" } },
  };
  form.set("metadata", new Blob([JSON.stringify(metadata)], { type: "application/json" }));
  form.set("index.js", new Blob([code], { type: "application/javascript+module" }), "index.js");
  const headers = { authorization: `Bearer ${account.token}` };
  await call(`/accounts/:account/workers/scripts/${name}`, { method: "PUT", body: form, headers });
}

const original = asShipped(readFileSync(join(ROOT, WORKER_FILE), "utf8"));

/** Writes wrangler.jsonc with more keys, builds and applies. Returns the steps that changed something. */
async function deploy(more: object, config: Readonly<Record<string, unknown>> = {}): Promise<readonly string[]> {
  const { vars = {}, objects = [], kv = [], r2 = [], ...rest }: Record<string, object> = { ...more };
  const listed = (items: object) =>
    Object.values(items)
      .map((one) => `${JSON.stringify(one)},`)
      .join("");
  const inner = (value: object) => JSON.stringify(value).slice(1, -1);
  const keys = Object.keys(rest).length ? `${inner(rest)},` : "";
  const text = original
    .replace('"main": "worker/index.ts",', `"main": "worker/extras.ts", ${keys}`)
    .replace('"observability": { "enabled": true },', "observability" in rest ? "" : "$&")
    .replace('"vars": {', `"vars": { ${Object.keys(vars).length ? `${inner(vars)},` : ""}`)
    .replace(`{ "name": "${binding}"`, `${listed(objects)} $&`)
    .replace('{ "binding": "READS"', `${listed(kv)} $&`)
    .replace('{ "binding": "BLOBS"', `${listed(r2)} $&`);
  writeFileSync(join(project.root, "wrangler.jsonc"), text);
  const steps = await buildAndApply(project, dir, account, { config });
  return steps.map(({ action, type }) => `${action} ${type.split(":").at(-1)}`);
}
const ask = async (): Promise<unknown> => JSON.parse((await test.ask(NAME)).text);

const FULL = {
  vars: { GREETING: "hello", LEVELS: [1, { two: true }] },
  objects: [{ name: "SEAT", class_name: "Seat", script_name: "auth" }],
  services: [{ binding: "AUTH", service: "auth" }],
  queues: { producers: [{ binding: "MAILS", queue: "mails" }] },
  ratelimits: [{ name: "LIMIT", namespace_id: "7", simple: { limit: 2, period: 60 } }],
  triggers: { crons: ["0 * * * *", "5 4 * * *"] },
  placement: { mode: "smart" },
  limits: { cpu_ms: 50 },
  logpush: true,
  tail_consumers: [{ service: "auth" }],
  observability: { enabled: true, head_sampling_rate: 0.5, logs: { enabled: true, invocation_logs: false } },
};

it("the Worker has the bindings and settings of the file, and the account shows them", async () => {
  await call("/accounts/:account/queues", { method: "POST", body: JSON.stringify({ queue_name: "mails" }) });
  expect(await deploy(FULL)).toContain("create WorkersCronTrigger");
  expect(await ask()).toEqual({
    text: "hello",
    json: [1, { two: true }],
    told: "local",
    fired: "never",
    limited: [true, true, false],
    mails: "object",
    auth: "auth",
    seat: "auth",
  });
  expect(await call(`/accounts/:account/workers/workers/${NAME}`)).toMatchObject({
    logpush: true,
    tail_consumers: [{ name: "auth" }],
    observability: { enabled: true, head_sampling_rate: 0.5, logs: { enabled: true, invocation_logs: false } },
  });
  expect(await call(`/accounts/:account/workers/workers/${NAME}/versions`)).toEqual([
    expect.objectContaining({ number: 1, placement: { mode: "smart" }, limits: { cpu_ms: 50 } }),
  ]);
  expect(await call(`/accounts/:account/workers/scripts/${NAME}/schedules`)).toMatchObject({
    schedules: [{ cron: "0 * * * *" }, { cron: "5 4 * * *" }],
  });
  await call("/local/cron", { method: "POST", body: JSON.stringify({ worker: NAME, cron: "5 4 * * *" }) });
  expect(await ask()).toMatchObject({ fired: "5 4 * * *" });
});

it("the same again changes nothing; another setting is another release, be it the version's or the Worker's", async () => {
  expect(await deploy(FULL)).toEqual([]);
  const fewer = { ...FULL, triggers: { crons: ["5 4 * * *"] }, logpush: false };
  const changed = ["update Worker", "create WorkerVersion", "update WorkersCronTrigger"];
  expect(await deploy(fewer)).toEqual(expect.arrayContaining(changed));
  expect(await deploy({ ...fewer, vars: { ...FULL.vars, GREETING: "good day" } })).toContain("create WorkerVersion");
  expect(await ask()).toMatchObject({ text: "good day" });
});

it("a stack's own values override those of the file, and a name that the file lacks is refused", async () => {
  const config = { vars: { GREETING: "moin" }, bind: { AUTH: "auth-two", SEAT: "auth-two" } };
  expect(await deploy(FULL, config)).toContain("create WorkerVersion");
  expect(await ask()).toMatchObject({ text: "moin", auth: "auth-two", seat: "auth-two" });
  expect(await deploy(FULL, config)).toEqual([]);
  await expect(deploy(FULL, { vars: { GRETING: "moin" }, bind: { [binding]: "x" } })).rejects.toThrow(
    new RegExp(`vars\\.GRETING[\\s\\S]*it has GREETING, LEVELS[\\s\\S]*bind\\.${binding}`),
  );
});

it("what is removed from the file is removed from the account, cron triggers too", async () => {
  await deploy({});
  expect(await ask()).toEqual({ told: "local", fired: "never", limited: [], mails: "undefined" });
  expect(await call(`/accounts/:account/workers/scripts/${NAME}/schedules`)).toEqual({ schedules: [] });
  expect(await call(`/accounts/:account/workers/workers/${NAME}`)).toMatchObject({
    tail_consumers: [],
    observability: { enabled: true, head_sampling_rate: 1 },
  });
  expect(await deploy({})).toEqual([]);
});

it("cron triggers come with all traffic, and what the Worker has stays while another release serves", async () => {
  const schedules = async () => {
    const answer = await call(`/accounts/:account/workers/scripts/${NAME}/schedules`);
    return v
      .parse(v.object({ schedules: v.array(v.object({ cron: v.string() })) }), answer)
      .schedules.map(({ cron }) => cron);
  };
  const [before, after] = ["0 * * * *", "5 4 * * *"].map((cron) => ({ triggers: { crons: [cron] } }));
  await deploy({ ...before });
  expect(await deploy({ ...after }, { rollout: 10 })).toContain("create WorkerVersion");
  expect(await schedules()).toEqual(["0 * * * *"]);
  expect(await deploy({ ...after }, { rollout: 100 })).toContain("update WorkersCronTrigger");
  expect(await schedules()).toEqual(["5 4 * * *"]);

  // A build that nobody has deployed may ask for what the account lacks: that is not in the way back.
  const [serving] = v.parse(
    v.array(v.object({ number: v.number() })),
    await call(`/accounts/:account/workers/workers/${NAME}/versions`),
  );
  const built = { ...before, tail_consumers: [{ service: "collector" }], logpush: true };
  expect(await deploy(built, { pin: serving?.number })).not.toContain("update Worker");
  expect(await schedules()).toEqual(["5 4 * * *"]);
  expect(await call(`/accounts/:account/workers/workers/${NAME}`)).toMatchObject({ tail_consumers: [] });
  await expect(deploy(built)).rejects.toThrow(/10203/);
  await deploy({});
  expect(await schedules()).toEqual([]);
});

const STORES = {
  kv: [{ binding: "USERS" }],
  r2: [{ binding: "FILES", bucket_name: "of-this-machine" }],
  d1_databases: [{ binding: "DB", database_name: "shop" }],
};

it("a KV namespace, a bucket and a database are created for the stack, and keep their data", async () => {
  const made = await deploy(STORES);
  for (const type of ["WorkersKvNamespace", "R2Bucket", "D1Database", "WorkerVersion"])
    expect(made).toContain(`create ${type}`);
  expect(await ask()).toMatchObject({ visits: null, orders: 1, file: "file" });
  expect(await deploy(STORES)).toEqual([]);
  expect(await deploy({ ...STORES, vars: { GREETING: "again" } })).not.toContain("create D1Database");
  expect(await ask()).toMatchObject({ visits: "1", orders: 2, file: "file" });
  expect(await call("/accounts/:account/r2/buckets")).toMatchObject({
    buckets: [{ name: `${NAME}-local-blobs` }, { name: `${NAME}-local-files` }],
  });
});

it("removing a binding never deletes its data: it is refused until protect keeps them in the account", async () => {
  await expect(deploy({})).rejects.toThrow(/FILES[\s\S]*would be deleted with all that is in it[\s\S]*protect: true/);
  // A protected stack may not be open.
  const guarded = { protect: true, access: "rules", demoLogin: false };
  // How storage goes, the last update has said.
  await expect(deploy({}, guarded)).rejects.toThrow(
    /FILES[\s\S]*would be deleted[\s\S]*had protect: false in its last update[\s\S]*run `up` once with the binding/,
  );
  await deploy(STORES, guarded);
  expect(await deploy({}, guarded)).toEqual(expect.arrayContaining(["retain R2Bucket", "retain D1Database"]));
  expect(await deploy(STORES)).toEqual(
    expect.arrayContaining(["import WorkersKvNamespace", "import R2Bucket", "import D1Database"]),
  );
  expect(await ask()).toMatchObject({ visits: "2", orders: 3, file: "file" });
});

it("storage is not deleted while a version that keeps traffic is bound to it", async () => {
  const config = { allowDestroy: ["USERS", "FILES", "DB"] };
  await expect(deploy({}, { ...config, rollout: 10 })).rejects.toThrow(
    /USERS: the KV namespace .* would be deleted while version \d+, which keeps traffic, is bound[\s\S]*FILES[\s\S]*DB/,
  );
  expect(await ask()).toMatchObject({ visits: "3", orders: 4, file: "file" });
});

it("a bucket goes only once it is empty: a release that would delete a filled one is refused before anything is sent", async () => {
  const others = { kv: STORES.kv, d1_databases: STORES.d1_databases };
  const config = { allowDestroy: ["FILES"] };
  const bucket = `/accounts/:account/r2/buckets/${NAME}-local-files`;
  const versions = async () =>
    v.parse(v.array(v.unknown()), await call(`/accounts/:account/workers/workers/${NAME}/versions`)).length;
  const before = await versions();
  await expect(deploy(others, config)).rejects.toThrow(/storage_would_go\] FILES: .* and something is in it/);
  expect(await versions()).toBe(before);
  await call(`${bucket}/objects/first`, { method: "DELETE" });
  await setFaults(account, "DELETE */r2/buckets/* 500 times=10");
  await expect(deploy(others, config)).rejects.toThrow();
  await setFaults(account);
  // The release serves by now: what comes into the bucket again does not keep it from being completed or mended.
  await call(`${bucket}/objects/first`, { method: "PUT", body: "file" });
  await expect(deploy(others, config)).rejects.not.toThrow(/storage_would_go/);
  await call(`${bucket}/objects/first`, { method: "DELETE" });
  expect(await deploy(others, config)).toContain("delete R2Bucket");
  await deploy(STORES, { allowDestroy: [] });
  expect(await ask()).toMatchObject({ visits: "4", orders: 5, file: "file" });
});

it("a binding that the stack points to other storage has that storage's data", async () => {
  const { id }: { id: string } = Object.assign(
    { id: "" },
    await call("/accounts/:account/storage/kv/namespaces", {
      method: "POST",
      body: JSON.stringify({ title: "elsewhere" }),
    }),
  );
  await deploy(STORES, { bind: { USERS: id }, allowDestroy: ["USERS"] });
  expect(await ask()).toMatchObject({ visits: null, orders: 6 });
  // Once it leads there no more, the stack has its own again, and the other storage is not the stack's to delete.
  expect(await deploy(STORES, { bind: {} })).toContain("create WorkersKvNamespace");
  expect(await ask()).toMatchObject({ visits: null, orders: 7 });
  expect(await titles()).toEqual([`${NAME}-local-reads`, `${NAME}-local-users`, "elsewhere"].sort());

  // Of a state that is lost nobody can tell whose it was.
  await deploy(STORES, { bind: { USERS: id }, allowDestroy: ["USERS"] });
  rmSync(join(dir, STATE_FILE));
  await expect(deploy(STORES, { bind: {} })).rejects.toThrow(
    new RegExp(`KV namespace elsewhere: .*may be another's.*bind: { USERS: ${id} } in`),
  );
  await deploy(STORES, { bind: { USERS: id } });
  await deploy(STORES, { bind: {} });
  expect(await titles()).toEqual([`${NAME}-local-reads`, `${NAME}-local-users`, "elsewhere"].sort());
});

async function titles(): Promise<readonly string[]> {
  const namespaces = v.parse(
    v.array(v.object({ title: v.string() })),
    await call("/accounts/:account/storage/kv/namespaces"),
  );
  return namespaces.map(({ title }) => title).sort();
}

it("the plan tells of a secret and a binding of infra/index.ts where they come, change or go, and only there", async () => {
  const file = join(project.root, "infra/index.ts");
  const before = readFileSync(file, "utf8");
  const lines: string[] = [];
  const planOf = async (secret?: string) => {
    lines.length = 0;
    const own = before
      .replace("const secrets = {", `$& ANOTHER_KEY: ${JSON.stringify(secret)},`)
      // The list may be any expression, such as one that is empty on the local account.
      .replace(
        /(const bindings: [^=]* = )([\s\S]*?);\n/,
        '$1[{ type: "analytics_engine", name: "MORE_EVENTS", dataset: "events" }, ...($2)];\n',
      );
    expect(own).toMatch(/ANOTHER_KEY[\s\S]*MORE_EVENTS/);
    writeFileSync(file, secret === undefined ? before : own);
    await buildAndApply(project, dir, account, { config: { bind: {} }, onLine: (line) => lines.push(line) });
    const text = lines.join("\n");
    return {
      bindings: text.match(/[+-] (ANOTHER_KEY|MORE_EVENTS).*/g)?.sort() ?? [],
      renewed: text.includes("a secret of the stack has changed"),
    };
  };
  // Without the program nobody knows what it adds; where it may add something, the plan says that.
  const withoutProgram = async () =>
    (await project.run(`npm run -s migrations -- plan --stack local --dir ${dir}`)).text;
  const unknown = "? those of infra/index.ts: only the program knows them";
  await deploy(STORES, { bind: {} });
  const addsNothingYet = addsNothing(before);
  expect((await withoutProgram()).includes(unknown)).toBe(!addsNothingYet);
  expect(await planOf("one")).toEqual({ bindings: ["+ ANOTHER_KEY", "+ MORE_EVENTS"], renewed: true });
  expect(await planOf("one")).toEqual({ bindings: [], renewed: false });
  expect(await planOf("two")).toEqual({ bindings: [], renewed: true });
  expect(await withoutProgram()).toContain(unknown);
  expect(await withoutProgram()).not.toMatch(/ANOTHER_KEY|MORE_EVENTS/);
  // Also where what the live Worker has of it would go.
  writeFileSync(file, before);
  expect(await withoutProgram()).toContain(unknown);
  expect(await planOf()).toEqual({
    bindings: ["- ANOTHER_KEY (secret)", "- MORE_EVENTS (binding of type analytics_engine)"],
    renewed: true,
  });
});

it("drift names cron triggers and storage that somebody changed in the account, and nothing before that", async () => {
  const config = { bind: {} };
  await deploy({ ...STORES, triggers: { crons: ["0 * * * *"] } }, config);
  const drift = async () => {
    const { code, text } = await project.run(`npm run -s drift -- --stack local --dir ${dir}`);
    return { code, lines: text.trim().split("\n") };
  };
  expect(await drift()).toEqual({ code: 0, lines: ["local: no drift"] });

  await call(`/accounts/:account/workers/scripts/${NAME}/schedules`, { method: "PUT", body: "[]" });
  const databases = v.parse(Databases, await call("/accounts/:account/d1/database"));
  const shop = databases.find(({ name }) => name.includes("db"))?.uuid;
  await call(`/accounts/:account/d1/database/${shop}`, { method: "DELETE" });
  const { code, lines } = await drift();
  expect(code).toBe(2);
  expect(lines.join("\n")).toMatch(
    /\[resource_changed\] crons: schedules is \[\], and the program says \[\{"cron":"0 \* \* \* \*"\}\]/,
  );
  expect(lines.join("\n")).toMatch(
    new RegExp(String.raw`\[resource_missing\] D1 database ${NAME}-local-db: it does not exist`),
  );
});

it("a region with a jurisdiction keeps its files there, in another bucket", async () => {
  const eu = { id: "eu", prefix: "eu", locationHint: "weur" };
  const config = {
    regions: [eu, { ...eu, id: "law", prefix: "law", jurisdiction: "eu" }],
  };
  const code = readFileSync(join(project.root, "worker/extras.ts"), "utf8");
  writeFileSync(
    join(project.root, "worker/extras.ts"),
    code.replace(
      'await env.BLOBS.put("own", "blob");',
      `$& if (env.BLOBS_EU) await env.BLOBS_EU.put("theirs", "blob");`,
    ),
  );
  expect(await deploy(STORES, config)).toContain("create R2Bucket");
  await ask();
  const objects = async (bucket: string, jurisdiction: string) => {
    const headers = { authorization: `Bearer ${account.token}`, "cf-r2-jurisdiction": jurisdiction };
    return v
      .parse(
        v.array(v.object({ key: v.string() })),
        await call(`/accounts/:account/r2/buckets/${bucket}/objects`, { headers }),
      )
      .map(({ key }) => key);
  };
  expect(await objects(`${NAME}-local-blobs-eu`, "eu")).toEqual(["theirs"]);
  expect(await objects(`${NAME}-local-blobs`, "default")).toEqual(["own"]);
  expect(await deploy(STORES, config)).toEqual([]);
});

const Databases = v.array(v.object({ uuid: v.string(), name: v.string() }));
