/** The bindings and addresses of a Worker: KV, R2, routes, custom domains, other Workers, cron triggers. */
import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { checkVariables } from "../src/limits.ts";
import { account, live, type Program, refusal } from "./support.ts";

const MIB = 1_024 * 1_024;

it("keeps KV namespaces and their values, shared with the Workers that bind to them", async () => {
  const test = await account();
  const { sdk, id: account_id } = test;
  const { id } = await sdk.kv.namespaces.create({ account_id, title: "reads" });
  expect(await refusal(test.call("post", "/storage/kv/namespaces", { title: "reads" }))).toMatchObject({ code: 10014 });
  await sdk.kv.namespaces.values.update("a/b c", { namespace_id: id, account_id, value: "from the API" });
  await test.call("put", `/storage/kv/namespaces/${id}/bulk`, [
    { key: "x1", value: "1", metadata: { n: 1 } },
    { key: "x2", value: "Mg==", base64: true },
  ]);
  await test.deploy("app", {
    bindings: [{ type: "kv_namespace", name: "KV", namespace_id: id }],
    fetch: `await env.KV.put("from-worker", "yes"); return Response.json({ tag: await env.KV.get("a/b c") });`,
  });
  expect((await test.ask("app")).json()).toEqual({ tag: "from the API" });
  const keys = await sdk.kv.namespaces.keys.list(id, { account_id });
  expect(keys.result.map(({ name }) => name)).toEqual(["a/b c", "from-worker", "x1", "x2"]);
  expect(await (await sdk.kv.namespaces.values.get("x2", { namespace_id: id, account_id })).text()).toBe("2");
  expect(await test.call("get", `/storage/kv/namespaces/${id}/metadata/x1`)).toEqual({ n: 1 });
  await sdk.kv.namespaces.values.delete("x1", { namespace_id: id, account_id });
  expect(await refusal(test.call("get", `/storage/kv/namespaces/${id}/values/x1`))).toMatchObject({
    status: 404,
    code: 10009,
  });

  expect(await sdk.kv.namespaces.update(id, { account_id, title: "renamed" })).toMatchObject({ title: "renamed" });
  await sdk.kv.namespaces.delete(id, { account_id });
  expect(await refusal(test.call("get", `/storage/kv/namespaces/${id}`))).toMatchObject({ status: 404, code: 10013 });
});

it("keeps buckets and their objects, and deletes only empty ones", async () => {
  const test = await account();
  const { sdk, id: account_id } = test;
  const created = await sdk.r2.buckets.create({ account_id, name: "blobs" });
  expect(await sdk.r2.buckets.get("blobs", { account_id })).toEqual(created);
  expect(await refusal(test.call("post", "/r2/buckets", { name: "blobs" }))).toMatchObject({
    status: 409,
    code: 10004,
  });
  expect(await refusal(test.call("post", "/r2/buckets", { name: "No" }))).toMatchObject({
    status: 400,
    message: expect.stringContaining("name"),
  });
  await test.deploy("app", {
    bindings: [{ type: "r2_bucket", name: "BLOBS", bucket_name: "blobs" }],
    fetch: `await env.BLOBS.put("folder/file.txt", "hello"); return Response.json({});`,
  });
  await test.ask("app");
  expect(await test.call("get", "/r2/buckets/blobs/objects")).toMatchObject([{ key: "folder/file.txt", size: 5 }]);
  expect(await refusal(test.call("delete", "/r2/buckets/blobs"))).toMatchObject({ status: 409, code: 10008 });
  await test.call("delete", "/r2/buckets/blobs/objects/folder/file.txt");
  await test.call("delete", "/r2/buckets/blobs");
  expect(await refusal(test.call("get", "/r2/buckets/blobs"))).toMatchObject({ status: 404, code: 10006 });
});

it("gives an object with all the metadata that R2 takes, and keeps when it expires", async () => {
  const test = await account();
  await test.call("post", "/r2/buckets", { name: "blobs" });
  await test.deploy("app", {
    bindings: [{ type: "r2_bucket", name: "BLOBS", bucket_name: "blobs" }],
    fetch: `
      if (url.pathname === "/put") await env.BLOBS.put("full", "hello", { customMetadata: { text: '"'.repeat(8_000) } });
      return Response.json((await env.BLOBS.head("dated"))?.httpMetadata ?? null);`,
  });
  await test.ask("app", "/put");
  const objects = `${test.running.apiUrl}/accounts/${test.id}/r2/buckets/blobs/objects`;
  const authorization = `Bearer ${test.running.token}`;
  const full = await fetch(`${objects}/full`, { headers: { authorization } });
  expect(await full.text()).toBe("hello");

  const put = (headers: Record<string, string>) =>
    fetch(`${objects}/dated`, { method: "PUT", headers: { authorization, ...headers }, body: "x" });
  const expires = "Fri, 01 Jan 2027 00:00:00 GMT";
  expect((await put({ expires })).status).toBe(200);
  expect((await fetch(`${objects}/dated`, { headers: { authorization } })).headers.get("expires")).toBe(expires);
  expect((await test.ask("app")).json()).toMatchObject({ cacheExpiry: "2027-01-01T00:00:00.000Z" });

  // What would be lost is refused, and the object stays as it was.
  for (const [headers, status, code] of [
    [{ expires: "soon" }, 400, 10029],
    [{ "cf-r2-storage-class": "InfrequentAccess" }, 501, 10021],
    [{ "cf-r2-storage-class": "Cold" }, 400, 10062],
  ] as const) {
    const refused = await put(headers);
    expect([refused.status, await refused.json()]).toMatchObject([status, { errors: [{ code }] }]);
  }
  expect((await put({ expires, "cf-r2-storage-class": "Standard" })).status).toBe(200);
});

it("refuses a key that no object can have, and limits and placements that Cloudflare does not know", async () => {
  const test = await account();
  await test.call("post", "/r2/buckets", { name: "files" });
  const long = refusal(test.call("put", `/r2/buckets/files/objects/${"k".repeat(1_025)}`, "x"));
  expect(await long).toMatchObject({ status: 400, code: 10020 });
  await test.deploy("app", { tag: "app" });
  const change = (settings: object) => test.call("patch", "/workers/scripts/app/settings", settings);
  for (const settings of [{ limits: { cpu_ms: -1 } }, { limits: { cpu_ms: 300_001 } }, { placement: { mode: "wat" } }])
    expect(await refusal(change(settings))).toMatchObject({ status: 400, code: 10021 });
  expect(await change({ limits: { cpu_ms: 100 } })).toMatchObject({ limits: { cpu_ms: 100 } });
  expect(await change({ placement: { mode: "smart" } })).toMatchObject({
    limits: { cpu_ms: 100 },
    placement: { mode: "smart" },
  });
  expect(await change({ limits: null })).not.toHaveProperty("limits");
});

it("refuses bindings to missing things, and types that it does not serve, by name", async () => {
  const test = await account();
  const deploy = (binding: object) => refusal(test.deploy("app", { bindings: [binding] }));
  expect(await deploy({ type: "kv_namespace", name: "KV", namespace_id: "nothing" })).toMatchObject({ code: 10041 });
  expect(await deploy({ type: "r2_bucket", name: "R2", bucket_name: "nothing" })).toMatchObject({ code: 10085 });
  expect(await deploy({ type: "service", name: "S", service: "nobody" })).toMatchObject({ code: 10143 });
  expect(await deploy({ type: "kv_namespace", name: "KV" })).toMatchObject({
    message: expect.stringContaining("namespace_id"),
  });
  expect(await deploy({ type: "vectorize", name: "INDEX", index_name: "x" })).toMatchObject({
    status: 501,
    message: expect.stringContaining("vectorize"),
  });
});

it("starts a Worker that uses its bindings at the top level of its modules, as Cloudflare documents it", async () => {
  const test = await account();
  const { uuid } = await test.sdk.d1.database.create({ account_id: test.id, name: "main" });
  await test.call("post", "/r2/buckets", { name: "blobs" });
  const { id } = await test.sdk.hyperdrive.configs.create({
    account_id: test.id,
    name: "db",
    origin: { scheme: "postgres", host: "127.0.0.1", port: 5_432, database: "app", user: "me", password: "hush" },
  });
  const bindings = [
    { type: "d1", name: "DB", id: uuid },
    { type: "r2_bucket", name: "BLOBS", bucket_name: "blobs" },
    { type: "version_metadata", name: "VERSION" },
    { type: "hyperdrive", name: "HYPERDRIVE", id },
    { type: "durable_object_namespace", name: "ROOM", class_name: "Room" },
  ];
  const code = `
    import { env, DurableObject } from "cloudflare:workers";
    if (typeof env.DB !== "object" || !("prepare" in env.DB)) throw new Error("no database");
    const byId = env.DB.prepare("SELECT ?1 AS id");
    const { BLOBS: { get } } = env;
    const release = env.VERSION.id.slice(0, 8).toUpperCase();
    const user = env.HYPERDRIVE.user.toUpperCase();
    const lobby = "room " + env.ROOM.idFromName("lobby").toString();
    export class Room extends DurableObject {}
    export default { fetch: async () => Response.json({ ...await byId.bind("7").first(), release, user, lobby, get: typeof get }) };`;
  const version = await test.deploy("app", { code, bindings, exports: live("Room") });
  expect((await test.ask("app")).json()).toEqual({
    id: "7",
    release: version.id.slice(0, 8).toUpperCase(),
    user: "ME",
    lobby: expect.stringMatching(/^room [0-9a-f]{64}$/),
    get: "function",
  });
  await test.call("patch", "/workers/scripts/app/settings", { compatibility_date: "2026-10-01" });
  expect((await test.ask("app")).json()).toMatchObject({ id: "7" });
});

it("refuses what is over Cloudflare's limits, and cron triggers that it would refuse", async () => {
  const test = await account();
  const deploy = (binding: object) => refusal(test.deploy("app", { bindings: [binding] }));
  const text = "é".repeat(2_561);
  for (const type of ["plain_text", "secret_text"]) {
    expect(await deploy({ type, name: "LONG", text })).toMatchObject({
      message: expect.stringContaining(`binding LONG of type ${type}: it has 5122 bytes`),
    });
  }
  expect(await deploy({ type: "json", name: "LONG", json: [text] })).toMatchObject({ status: 400 });
  await test.deploy("app", { bindings: [{ type: "plain_text", name: "FITS", text: "x".repeat(5_120) }] });
  expect(await refusal(test.call("put", "/workers/scripts/app/schedules", [{ cron: "0 22 * * 0" }]))).toMatchObject({
    code: 10100,
    message: expect.stringContaining("weekday: '0' must be 1 to 7"),
  });
});

it("lets a Worker of another plan come down step by step", () => {
  const some = (count: number) => Array.from({ length: count }, (_, i) => ({ type: "plain_text", name: `V${i}` }));
  for (const count of [100, 99]) expect(() => checkVariables(some(count), "free", some(100))).not.toThrow();
  expect(() => checkVariables(some(101), "free", some(100))).toThrow("at most 64");
});

it.each([
  { plan: "free" as const, variables: 64, crons: 5 },
  { plan: "paid" as const, variables: 128, crons: 250 },
])(
  "counts variables with those that are kept, and cron triggers of all Workers, on the plan $plan",
  async ({ plan, variables, crons }) => {
    const test = await account({ plan });
    const kinds = [
      { type: "plain_text", text: "x" },
      { type: "secret_text", text: "x" },
      { type: "json", json: {} },
    ];
    const some = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ type: "", ...kinds[index % kinds.length], name: `V${index}` }));
    await test.deploy("app", { bindings: [{ type: "version_metadata", name: "VERSION" }, ...some(variables - 1)] });
    const put = (name: string) => test.call("put", "/workers/scripts/app/secrets", { name, text: "hush" });
    await put("LAST");
    expect(await refusal(put("MORE"))).toMatchObject({
      status: 400,
      code: 10055,
      message: expect.stringContaining(plan),
    });
    const kept = some(variables).map(({ name }) => ({
      type: "inherit",
      name: name === `V${variables - 1}` ? "LAST" : name,
    }));
    const inherits = (more: object[]) => test.deploy("app", { bindings: [...kept, ...more] });
    await inherits([]);
    expect(await refusal(inherits(some(variables + 1).slice(-1)))).toMatchObject({ code: 10055 });

    await test.deploy("other", { tag: "other" });
    const schedule = (worker: string, count: number) => {
      const sent = Array.from({ length: count }, (_, index) => ({
        cron: `${index % 60} ${Math.floor(index / 60)} * * *`,
      }));
      return test.call("put", `/workers/scripts/${worker}/schedules`, sent);
    };
    await schedule("app", crons - 1);
    await schedule("other", 1);
    expect(await refusal(schedule("other", 2))).toMatchObject({ status: 400, code: 10072 });
    await schedule("app", crons - 2);
    await schedule("other", 2);
  },
);

it("takes a Worker of up to 64 MiB, however well it compresses, and does not count its source maps", async () => {
  const test = await account();
  const module = (name: string, content_type: string, contents: Buffer) => {
    return { name, content_type, content_base64: contents.toString("base64") };
  };
  // Data, because to parse a script of that size takes its time to start.
  const large = (data: Buffer, map = 0) =>
    test.deploy("large", {
      tag: "large",
      modules: [
        module("data.bin", "application/octet-stream", data),
        module("index.js.map", "application/source-map", Buffer.alloc(map * MIB, "x")),
      ],
    });
  await large(randomBytes(11 * MIB), 54);
  expect((await test.ask("large")).json()).toMatchObject({ tag: "large" });
  expect(await refusal(large(Buffer.alloc(64 * MIB)))).toMatchObject({
    status: 413,
    code: 10027,
    message: "Your Worker exceeded the size limit of 64 MiB: its modules have 64.0 MiB.",
  });
});

it("lets a Worker write to Analytics Engine, and drops the data", async () => {
  const test = await account();
  await test.deploy("app", {
    bindings: [{ type: "analytics_engine", name: "EVENTS", dataset: "events" }],
    fetch: `env.EVENTS.writeDataPoint({ blobs: ["a"], doubles: [1], indexes: ["i"] }); return new Response("written");`,
  });
  expect((await test.ask("app")).text).toBe("written");
});

it("names a data set of Analytics Engine after its binding, if a client gives no name, as wrangler may", async () => {
  const test = await account();
  await test.deploy("app", {
    bindings: [{ type: "analytics_engine", name: "EVENTS" }],
    fetch: `env.EVENTS.writeDataPoint({ blobs: ["a"] }); return new Response("written");`,
  });
  expect((await test.ask("app")).text).toBe("written");
  expect(await test.call("get", "/workers/scripts/app/settings")).toMatchObject({
    bindings: [{ type: "analytics_engine", name: "EVENTS", dataset: "EVENTS" }],
  });
});

describe("addresses", () => {
  it("routes of a zone reach their Workers, the most specific route first", async () => {
    const test = await account();
    await test.deploy("site", { tag: "site" });
    await test.deploy("api", { tag: "api" });
    const { result } = await test.sdk.zones.list({ name: "example.com" });
    const zone_id = result[0]?.id ?? "";
    const site = await test.sdk.workers.routes.create({ zone_id, pattern: "*.example.com/*", script: "site" });
    const api = await test.sdk.workers.routes.create({ zone_id, pattern: "www.example.com/api/*", script: "api" });
    expect(await test.sdk.workers.routes.get(api.id, { zone_id })).toEqual(api);
    const tag = async (at: string) => (await test.visit("www.example.com", at)).json().tag;
    expect([await tag("/"), await tag("/api/x")]).toEqual(["site", "api"]);
    await test.sdk.workers.routes.update(site.id, { zone_id, pattern: "www.example.com/*", script: "api" });
    expect(await tag("/")).toBe("api");
    await test.sdk.workers.routes.delete(site.id, { zone_id });
    expect((await test.visit("www.example.com", "/")).status).toBe(404);
    const again = test.sdk.workers.routes.create({ zone_id, pattern: "www.example.com/api/*", script: "site" });
    expect(await refusal(again)).toMatchObject({ status: 409, code: 10020 });
    const foreign = test.sdk.workers.routes.create({ zone_id, pattern: "example.org/*", script: "site" });
    expect(await refusal(foreign)).toMatchObject({ message: expect.stringContaining("pattern") });
  });

  it("a custom domain belongs to one Worker and moves to another", async () => {
    const test = await account();
    await test.deploy("one", { tag: "one" });
    await test.deploy("two", { tag: "two" });
    const { id: account_id, sdk } = test;
    const domain = await sdk.workers.domains.update({
      account_id,
      hostname: "app.example.com",
      service: "one",
      zone_name: "example.com",
    });
    expect((await test.visit("app.example.com", "/any/path")).json()).toMatchObject({ tag: "one" });
    const moved = await sdk.workers.domains.update({
      account_id,
      hostname: "app.example.com",
      service: "two",
      zone_id: domain.zone_id,
    });
    expect(moved.id).toBe(domain.id);
    expect((await test.visit("app.example.com")).json()).toMatchObject({ tag: "two" });
    await sdk.workers.domains.delete(domain.id, { account_id });
    expect((await test.visit("app.example.com")).status).toBe(404);
  });

  it("custom domains that wrangler sets are host names, and keep their ids however they are written", async () => {
    const test = await account();
    await test.deploy("app", { tag: "app" });
    const put = (...origins: object[]) => test.call("put", "/workers/scripts/app/domains/records", { origins });
    const set = await put({ hostname: "Shop.Example.com" });
    expect(set).toMatchObject([{ hostname: "shop.example.com", zone_name: "example.com" }]);
    expect(await put({ hostname: "Shop.Example.com" })).toEqual(set);
    expect(await put({ hostname: "shop.example.com", zone_name: "Example.com" })).toEqual(set);
    const changes = await test.call("post", "/workers/scripts/app/domains/changeset?replace_state=true", [
      { hostname: "SHOP.example.com" },
    ]);
    expect(changes).toMatchObject({ added: [], removed: [], updated: [{ hostname: "shop.example.com" }] });
    expect((await test.visit("shop.example.com")).json()).toMatchObject({ tag: "app" });

    for (const wrong of [
      { hostname: "https://a.b/c" },
      { hostname: "shop" },
      { hostname: "a.example.com", zone_name: "https://example.com" },
    ])
      for (const call of [put(wrong), test.call("post", "/workers/scripts/app/domains/changeset", [wrong])])
        expect(await refusal(call)).toMatchObject({
          status: 400,
          message: expect.stringContaining("must be a host name"),
        });
    expect((await test.sdk.zones.list()).result.map(({ name }) => name)).toEqual(["example.com"]);
  });

  it("a custom domain and a route are in the longest zone that is there, and make no other", async () => {
    const test = await account();
    const { sdk, id: account_id } = test;
    await test.deploy("app", { tag: "app" });
    const zone = await sdk.zones.create({ account: { id: account_id }, name: "example.co.uk" });
    const sent = { account_id, hostname: "api.example.co.uk", service: "app" };
    expect(await sdk.workers.domains.update(sent)).toMatchObject({ zone_id: zone.id, zone_name: "example.co.uk" });
    await test.call("put", "/workers/scripts/app/routes", [{ pattern: "www.example.co.uk/*" }]);
    expect((await sdk.zones.list()).result.map(({ name }) => name)).toEqual(["example.co.uk"]);
    expect((await sdk.workers.domains.update({ ...sent, hostname: "api.example.com" })).zone_name).toBe("example.com");
  });

  it("a zone that is not there is refused with the way to make it", async () => {
    const test = await account();
    await test.deploy("app", { tag: "app" });
    const sent = { account_id: test.id, hostname: "app.example.com", service: "app" };
    const unknown = test.sdk.workers.domains.update({ ...sent, zone_id: "0".repeat(32) });
    expect(await refusal(unknown)).toMatchObject({ code: 7003, message: expect.stringMatching(/zones\?name=/) });
    const [zone] = (await test.sdk.zones.list({ name: "example.com" })).result;
    await test.sdk.workers.domains.update({ ...sent, zone_id: zone?.id ?? "" });
    expect((await test.visit("app.example.com")).json()).toMatchObject({ tag: "app" });
  });

  it("the subdomain of a Worker is switched on and off", async () => {
    const test = await account();
    await test.deploy("app", { tag: "app" });
    const { sdk, id: account_id } = test;
    const set = (enabled: boolean) => sdk.workers.scripts.subdomain.create("app", { account_id, enabled });
    // Previews follow, unless the call says otherwise.
    expect(await set(false)).toEqual({ enabled: false, previews_enabled: false });
    expect((await test.ask("app")).status).toBe(404);
    expect(await sdk.workers.scripts.subdomain.get("app", { account_id })).toMatchObject({ enabled: false });
    expect(await set(true)).toEqual({ enabled: true, previews_enabled: true });
    expect((await test.ask("app")).json()).toMatchObject({ tag: "app" });
  });
});

it("gives a version a preview under its alias, and the alias to the newest version that has it", async () => {
  const test = await account();
  await test.deploy("app", { tag: "live" });
  const { subdomain } = await test.sdk.workers.beta.workers.get("app", { account_id: test.id });
  const preview = async (prefix: string) => {
    const [host = ""] = `${prefix}${subdomain.preview_url_suffix}`.split(":");
    return (await test.visit(host)).json();
  };
  const upload = (tag: string) => test.upload("app", { tag, annotations: { "workers/alias": "next" } });
  const first = await upload("first");
  expect(await preview("next")).toMatchObject({ tag: "first" });
  await upload("second");
  expect(await preview("next")).toMatchObject({ tag: "second" });
  expect(await preview(first.id.slice(0, 8))).toMatchObject({ tag: "first" });
  expect((await test.ask("app")).json()).toMatchObject({ tag: "live" });
});

it("refuses an alias that no address can have, alone or together with the Worker's name", async () => {
  const test = await account();
  const upload = async (alias: string) => refusal(test.upload("app", { annotations: { "workers/alias": alias } }));
  for (const alias of ["Next", "my_branch", "1st", "-a", ""])
    expect(await upload(alias)).toMatchObject({ status: 400, message: expect.stringContaining("lower-case letters") });
  expect(await upload("a".repeat(60))).toMatchObject({
    status: 400,
    message: expect.stringMatching(/^Alias name too/),
  });
  await test.upload("app", { annotations: { "workers/alias": "a".repeat(59) } });
});

it("refuses names of Workers that Cloudflare refuses", async () => {
  const test = await account();
  for (const name of ["Upper", "-app", "a.b", "ä", "a".repeat(64)])
    expect(await refusal(test.deploy(name, {}))).toMatchObject({ status: 400, code: 10016 });
  await test.deploy("an_app-1", {});
});

it("lets Workers call each other, and removes the binding to a Worker that is deleted by force", async () => {
  const test = await account();
  await test.deploy("back", { fetch: "return Response.json({ tag: 'back' });" });
  await test.deploy("front", {
    bindings: [{ type: "service", name: "BACK", service: "back" }],
    fetch: "return env.BACK ? env.BACK.fetch(request) : Response.json({ tag: 'alone' });",
  });
  expect((await test.ask("front")).json()).toEqual({ tag: "back" });
  expect(await refusal(test.call("delete", "/workers/scripts/back"))).toMatchObject({
    message: expect.stringContaining("front"),
  });
  await test.call("delete", "/workers/scripts/back?force=true");
  expect((await test.ask("front")).json()).toEqual({ tag: "alone" });
  expect(await test.workers()).toEqual({ names: ["front"] });
});

it("gives a service the props of the binding, and a Worker no binding to a database that was deleted", async () => {
  const test = await account();
  const { id } = test;
  const { uuid = "" } = await test.sdk.d1.database.create({ account_id: id, name: "db" });
  await test.deploy("target", {
    code: `import { WorkerEntrypoint } from "cloudflare:workers";
export class Admin extends WorkerEntrypoint { props() { return this.ctx.props; } }
export default { fetch: () => new Response("ok") };`,
  });
  await test.deploy("app", {
    fetch: `return Response.json({ props: await env.ADMIN.props(), db: typeof env.DB });`,
    bindings: [
      { type: "service", name: "ADMIN", service: "target", entrypoint: "Admin", props: { role: "reader", rooms: [1] } },
      { type: "d1", name: "DB", id: uuid },
    ],
  });
  const props = { role: "reader", rooms: [1] };
  expect((await test.ask("app")).json()).toEqual({ props, db: "object" });
  await test.sdk.d1.database.delete(uuid, { account_id: id });
  expect((await test.ask("app")).json()).toEqual({ props, db: "undefined" });
});

it("refuses a binding to an entrypoint that is missing, and serves on when one is lost", async () => {
  const test = await account();
  const back = (name: string) => `
    import { WorkerEntrypoint } from "cloudflare:workers";
    export class ${name} extends WorkerEntrypoint { greet() { return "hello"; } }
    export default { fetch: () => new Response("back") };`;
  await test.deploy("back", { code: back("Greeter") });
  const front = (entrypoint: string) =>
    test.deploy("front", {
      bindings: [{ type: "service", name: "BACK", service: "back", entrypoint }],
      fetch: "return new Response(env.BACK ? await env.BACK.greet() : 'alone');",
    });
  expect(await refusal(front("Greter"))).toMatchObject({
    code: 10143,
    message: expect.stringContaining("has no entrypoint 'Greter'; it has default, Greeter"),
  });
  await front("Greeter");
  expect((await test.ask("front")).text).toBe("hello");
  await test.deploy("back", { code: back("Other") });
  expect((await test.ask("front")).text).toBe("alone");
  expect((await test.ask("back")).text).toBe("back");
});

it("renames a Worker, which keeps its versions, objects, routes and domains", async () => {
  const test = await account();
  const { sdk, id: account_id } = test;
  await test.deploy("visits", { classes: ["Room"], bound: ["Room"], exports: live("Room"), tag: "one" });
  const zone = await sdk.zones.list({ name: "example.com" }).then(({ result: [first] }) => first?.id ?? "");
  await sdk.workers.routes.create({ zone_id: zone, pattern: "example.com/api/*", script: "visits" });
  await sdk.workers.domains.update({ account_id, zone_id: zone, hostname: "v.example.com", service: "visits" });
  expect((await test.ask("visits", "/Room/a")).json()).toMatchObject({ count: 1 });
  const { id } = await sdk.workers.beta.workers.get("visits", { account_id });

  await sdk.workers.beta.workers.edit(id, { account_id, ...(await settingsOf(id)), name: "trips" });
  expect((await test.ask("trips", "/Room/a")).json()).toMatchObject({ count: 2, tag: "one" });
  expect((await test.ask("visits", "/Room/a")).status).toBe(404);
  expect((await test.visit("example.com", "/api/Room")).status).toBe(200);
  expect((await test.visit("v.example.com", "/Room/a")).json()).toMatchObject({ count: 3 });
  expect(await sdk.workers.beta.workers.get("trips", { account_id })).toMatchObject({ id });
  expect(await refusal(test.call("get", "/workers/workers/visits"))).toMatchObject({ status: 404 });
  await test.deploy("trips", { classes: ["Room"], bound: ["Room"], exports: live("Room"), tag: "two" });
  expect((await test.ask("trips", "/Room/a")).json()).toMatchObject({ count: 4, tag: "two" });

  async function settingsOf(worker: string) {
    const { logpush, observability, subdomain, tags, tail_consumers } = await sdk.workers.beta.workers.get(worker, {
      account_id,
    });
    return { logpush, observability, subdomain, tags, tail_consumers };
  }
});

it("renames a Worker that is bound to itself, and goes on with these bindings", async () => {
  const test = await account();
  const program: Program = {
    code: `
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
export class Room extends DurableObject { hello() { return "room"; } }
export class Inner extends WorkerEntrypoint { hello() { return "inner"; } }
export default {
  async fetch(_, env) {
    return Response.json([await env.SELF.hello(), await env.Room.getByName("a").hello(), env.SECRET ?? null]);
  },
};`,
    exports: live("Room"),
    bound: [{ class: "Room", worker: "app" }],
    bindings: [{ type: "service", name: "SELF", service: "app", entrypoint: "Inner" }],
  };
  await test.deploy("app", { ...program, bound: [] });
  await test.deploy("app", program);
  await test.call("patch", "/workers/workers/app", { name: "apart" });
  expect((await test.ask("apart")).json()).toEqual(["inner", "room", null]);
  await test.call("put", "/workers/scripts/apart/secrets", { name: "SECRET", text: "s", type: "secret_text" });
  expect((await test.ask("apart")).json()).toEqual(["inner", "room", "s"]);
});

it("refuses to rename a Worker to a taken name, or while another is bound to it", async () => {
  const test = await account();
  await test.deploy("taken", {});
  await test.deploy("app", { classes: ["Room"], bound: ["Room"], exports: live("Room") });
  expect(await refusal(test.call("patch", "/workers/workers/app", { name: "taken" }))).toMatchObject({ code: 10040 });
  expect(await refusal(test.call("patch", "/workers/workers/app", { name: "no name" }))).toMatchObject({ status: 400 });
  await test.deploy("other", { bound: [{ class: "Room", worker: "app" }] });
  expect(await refusal(test.call("patch", "/workers/workers/app", { name: "apart" }))).toMatchObject({
    status: 501,
    message: expect.stringContaining("(other)"),
  });
  await test.call("patch", "/workers/scripts/taken/script-settings", { tail_consumers: [{ service: "app" }] });
  expect(await refusal(test.call("patch", "/workers/workers/app", { name: "apart" }))).toMatchObject({
    status: 501,
    message: expect.stringContaining("(other, taken)"),
  });
  expect((await test.ask("app", "/Room/a")).json()).toMatchObject({ count: 1 });
});
