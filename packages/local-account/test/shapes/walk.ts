/** Calls every route of an account, so that each answers what it answers when all is well. */
import { createHash } from "node:crypto";
import path from "node:path";
import * as v from "valibot";
import { expect } from "vitest";
import { deployWithAssets, putScript, uploaded } from "../assets.ts";
import { codeOf, live, type TestAccount, temporaryDirectory } from "../support.ts";

const Identified = v.object({ id: v.string() });
const Deployments = v.object({ deployments: v.array(Identified) });

/** Calls every route so that it succeeds. */
export async function walk(test: TestAccount): Promise<void> {
  const { sdk, id: account_id } = test;
  await whoseAccount(test);
  const { id: kv } = await sdk.kv.namespaces.create({ account_id, title: "kv" });
  const database = await sdk.d1.database.create({ account_id, name: "db" });
  const d1 = database.uuid ?? "";
  await sdk.r2.buckets.create({ account_id, name: "blobs" });
  await kvCalls(test, kv);
  await d1Calls(test, d1);
  await test.call("get", "/containers/applications");
  await hyperdriveCalls(test);
  await r2Calls(test);
  await sdk.queues.create({ account_id, queue_name: "queue" });
  await test.deploy("other", { tag: "other" });
  await test.deploy("app", {
    classes: ["Counter"],
    bound: ["Counter"],
    exports: live("Counter"),
    annotations: { "workers/tag": "t", "workers/message": "m" },
    bindings: [
      { type: "kv_namespace", name: "KV", namespace_id: kv },
      { type: "d1", name: "DB", database_id: d1 },
      { type: "r2_bucket", name: "R2", bucket_name: "blobs" },
      { type: "queue", name: "QUEUE", queue_name: "queue" },
      { type: "analytics_engine", name: "EVENTS", dataset: "events" },
      { type: "ratelimit", name: "LIMIT", namespace_id: "1", simple: { limit: 1, period: 60 } },
      { type: "service", name: "OTHER", service: "other" },
      { type: "plain_text", name: "TEXT", text: "text" },
      { type: "json", name: "JSON", json: { a: 1 } },
      { type: "secret_text", name: "SECRET", text: "secret" },
      { type: "version_metadata", name: "VERSION" },
    ],
  });
  await test.ask("app", "/Counter/one");
  await test.deploy("bound", { bound: [{ class: "Counter", worker: "app" }] });
  await queueCalls(test);
  await workflowCalls(test);
  await addresses(test);
  await versionsAndDeployments(test);
  await scriptCalls(test);
  await questions(test);
  await test.call("delete", "/workers/workers/bound");
  await test.call("delete", "/workers/services/app?force=true");
  await test.call("delete", "/workers/scripts/other");
  await test.call("delete", "/r2/buckets/blobs");
  await test.call("delete", `/d1/database/${d1}`);
  await test.call("delete", `/storage/kv/namespaces/${kv}`);
}

async function whoseAccount({ sdk, id: account_id }: TestAccount) {
  await sdk.get("/user");
  await sdk.user.tokens.verify();
  await sdk.get("/memberships");
  await sdk.accounts.list();
  await sdk.accounts.get({ account_id });
}

async function kvCalls(test: TestAccount, id: string) {
  const at = `/storage/kv/namespaces/${id}`;
  await test.call("get", "/storage/kv/namespaces");
  await test.call("get", at);
  await test.call("put", at, { title: "renamed" });
  await test.call("put", `${at}/bulk`, [
    { key: "a", value: "1", metadata: { n: 1 } },
    { key: "b", value: "2" },
    { key: "c", value: "3" },
    { key: "d", value: "4" },
  ]);
  await test.sdk.kv.namespaces.values.update("e", { namespace_id: id, account_id: test.id, value: "5" });
  await test.call("get", `${at}/keys?limit=2`);
  await test.sdk.kv.namespaces.values.get("a", { namespace_id: id, account_id: test.id });
  await test.call("get", `${at}/metadata/a`);
  await test.call("get", `${at}/metadata/b`);
  await test.call("post", `${at}/bulk/get`, { keys: ["a", "nothing"] });
  await test.call("delete", `${at}/values/a`);
  await test.call("delete", `${at}/bulk`, ["b"]);
  await test.call("post", `${at}/bulk/delete`, ["c"]);
}

async function d1Calls(test: TestAccount, id: string) {
  const at = `/d1/database/${id}`;
  await test.call("get", "/d1/database");
  const { timeTravel } = test.sdk.d1.database;
  await timeTravel.getBookmark(id, { account_id: test.id });
  await timeTravel.restore(id, { account_id: test.id, timestamp: new Date().toISOString() });
  await test.call("post", `${at}/query`, { sql: "CREATE TABLE t (a); INSERT INTO t VALUES (1); SELECT a FROM t" });
  await test.call("get", at);
  const text = "INSERT INTO t VALUES (2)";
  const etag = createHash("md5").update(text).digest("hex");
  const init = await test.sdk.d1.database.import(id, { account_id: test.id, action: "init", etag });
  await fetch(init.upload_url ?? "", { method: "PUT", body: text });
  await test.call("post", `${at}/import`, { action: "ingest", etag, filename: init.filename });
  const exported = await test.sdk.d1.database.export(id, { account_id: test.id, output_format: "polling" });
  await fetch(exported.result?.signed_url ?? "");
}

async function hyperdriveCalls(test: TestAccount) {
  const { configs } = test.sdk.hyperdrive;
  const account_id = test.id;
  const origin = { scheme: "postgres" as const, host: "h", port: 1, database: "d", user: "u", password: "p" };
  const { id } = await configs.create({ account_id, name: "shop", origin });
  await configs.list({ account_id });
  await configs.get(id, { account_id });
  await configs.update(id, { account_id, name: "shop", origin });
  await configs.edit(id, { account_id, origin: { host: "i", port: 2 } });
  await configs.delete(id, { account_id });
}

async function queueCalls(test: TestAccount) {
  await test.call("get", "/queues?name=queue");
  const { queue_id: id } = await test.sdk.queues.create({ account_id: test.id, queue_name: "calls" });
  const at = `/queues/${id}`;
  await test.call("get", at);
  await test.call("put", at, { queue_name: "renamed", settings: { delivery_delay: 0 } });
  await test.call("patch", at, { settings: { delivery_paused: false } });
  const consumer = v.parse(
    v.object({ consumer_id: v.string() }),
    await test.call("post", `${at}/consumers`, { type: "http_pull", dead_letter_queue: "dead" }),
  );
  const settings = { visibility_timeout_ms: 0 };
  await test.call("put", `${at}/consumers/${consumer.consumer_id}`, { type: "http_pull", settings });
  await test.call("get", `${at}/consumers`);
  await test.call("get", `${at}/consumers/${consumer.consumer_id}`);
  await test.call("post", `${at}/messages`, { body: "a", content_type: "text" });
  await test.call("post", `${at}/messages/batch`, { messages: [{ body: { b: 1 }, content_type: "json" }] });
  await test.call("post", `${at}/messages/peek`, { batch_size: 1 });
  const { messages = [] } = await test.sdk.queues.messages.pull(id ?? "", { account_id: test.id, batch_size: 2 });
  const leases = messages.map(({ lease_id }) => ({ lease_id: lease_id ?? "" }));
  await test.call("post", `${at}/messages/ack`, { acks: leases.slice(0, 1), retries: leases.slice(1) });
  await test.call("post", `${at}/messages/purge`, { refs: [{ ref: "nothing" }] });
  await test.call("get", `${at}/metrics`);
  await test.call("post", `${at}/purge`, { delete_messages_permanently: true });
  await test.call("get", `${at}/purge`);
  await test.call("delete", `${at}/consumers/${consumer.consumer_id}`);
  await test.call("delete", at);
}

async function workflowCalls(test: TestAccount) {
  const code = `import { WorkflowEntrypoint } from "cloudflare:workers";
    export class Flow extends WorkflowEntrypoint {
      async run(event, step) {
        const got = await step.do("first", async () => event.payload);
        await step.sleep("a little", 1);
        await step.waitForEvent("go", { type: "go" });
        return JSON.stringify(got);
      }
    }
    export default { fetch: () => new Response() };`;
  const binding = { type: "workflow", name: "FLOW", workflow_name: "flow", class_name: "Flow" };
  await test.deploy("flows", { code, bindings: [binding] });
  const at = "/workflows/flow";
  await test.call("put", at, { script_name: "flows", class_name: "Flow" });
  await test.call("get", "/workflows");
  await test.call("post", `${at}/instances`, { instance_id: "one", params: { a: 1 } });
  await test.call("post", `${at}/instances/batch`, [{ instance_id: "two" }]);
  const one = () => test.call("get", `${at}/instances/one`);
  await expect.poll(one).toMatchObject({ steps: [{ name: "first-1" }, { name: "a little-1" }, { name: "go-1" }] });
  await test.call("post", `${at}/instances/one/events/go`, { now: true });
  await expect.poll(one).toMatchObject({ status: "complete", output: '{"a":1}' });
  await test.call("patch", `${at}/instances/two/status`, { status: "terminate" });
  await test.call("get", `${at}/instances`);
  const [version] = v.parse(v.array(Identified), await test.call("get", `${at}/versions`));
  await test.call("get", `${at}/versions/${version?.id}`);
  await test.call("get", at);
  await test.call("get", "/workers/workers/flows/versions");
  await test.call("delete", at);
}

async function r2Calls(test: TestAccount) {
  await test.call("put", "/r2/buckets/blobs/cors", { rules: [{ allowed: { origins: ["*"], methods: ["GET"] } }] });
  await test.call("get", "/r2/buckets/blobs/cors");
  await test.call("delete", "/r2/buckets/blobs/cors");
  await test.call("put", "/r2/buckets/blobs/lifecycle", {
    rules: [{ id: "old", enabled: true, deleteObjectsTransition: { condition: { type: "Age", maxAge: 1 } } }],
  });
  await test.call("get", "/r2/buckets/blobs/lifecycle");
  await test.call("get", "/r2/buckets");
  await test.call("get", "/r2/buckets/blobs");
  await test.call("patch", "/r2/buckets/blobs", { storageClass: "InfrequentAccess" });
  const params = { account_id: test.id, bucket_name: "blobs" };
  await test.sdk.r2.buckets.objects.upload("a/b", Buffer.from("hello"), params);
  await test.call("get", "/r2/buckets/blobs/objects");
  await test.call("get", "/r2/buckets/blobs/objects?delimiter=/");
  await test.sdk.r2.buckets.objects.get("a/b", params);
  await test.call("delete", "/r2/buckets/blobs/objects/a/b");
}

async function addresses(test: TestAccount) {
  const { sdk, id: account_id } = test;
  await sdk.zones.create({ account: { id: account_id }, name: "example.org" });
  const [zone] = (await sdk.zones.list({ name: "example.com" })).result;
  const zone_id = zone?.id ?? "";
  await sdk.zones.get({ zone_id });
  const { id } = await sdk.workers.routes.create({ zone_id, pattern: "example.com/a", script: "other" });
  await sdk.workers.routes.get(id, { zone_id });
  await sdk.workers.routes.update(id, { zone_id, pattern: "example.com/b", script: "other" });
  await sdk.workers.routes.create({ zone_id, pattern: "example.com/none" });
  await test.call("put", "/workers/scripts/app/routes", [{ pattern: "example.com/*", zone_id }]);
  await test.call("get", "/workers/scripts/app/routes");
  await test.call("get", "/workers/services/app/environments/production/routes");
  await sdk.workers.routes.list({ zone_id });
  await sdk.workers.routes.delete(id, { zone_id });
  const origin = { hostname: "shop.example.com" };
  await test.call("post", "/workers/scripts/app/domains/changeset?replace_state=true", [origin]);
  await test.call("put", "/workers/scripts/app/domains/records", { origins: [origin] });
  await test.call("post", "/workers/scripts/other/domains/changeset?replace_state=true", [origin]);
  const domain = await sdk.workers.domains.update({ account_id, hostname: "www.example.com", service: "app" });
  await test.call("get", "/workers/domains");
  await test.call("get", `/workers/domains/${domain.id}`);
  await test.call("get", "/workers/domains/records?service=app");
  await test.call("get", `/workers/domains/records/${domain.id}`);
  await test.call("get", "/workers/workers/app");
  await test.call("delete", `/workers/domains/${domain.id}`);
  await test.call("get", "/workers/subdomain");
  await test.call("put", "/workers/subdomain", { subdomain: test.running.subdomain });
  await test.call("get", "/workers/scripts/app/subdomain");
  await test.call("post", "/workers/scripts/app/subdomain", { enabled: true });
  await test.call("get", "/workers/services/app/environments/production/subdomain");
  await test.call("delete", "/workers/scripts/app/subdomain");
}

/** Workers as resources, their versions and deployments. */
async function versionsAndDeployments(test: TestAccount) {
  await test.call("get", "/workers/workers");
  await test.call("patch", "/workers/workers/app", { tags: ["a"], observability: { enabled: true } });
  await test.call("put", "/workers/workers/bound", { name: "bound", logpush: true });
  const at = "/workers/workers/other/versions";
  const unused = await test.upload("other", { tag: "unused" });
  await test.call("delete", `${at}/${unused.id}`);
  const { id } = await test.upload("other", { tag: "next" });
  await test.call("patch", `${at}/latest`, { env: { S: { type: "secret_text", text: "s" } } });
  await test.call("get", at);
  await test.call("get", `${at}/${id}?include=modules`);
  await test.split("other", { [id]: 100 });
  await test.call("get", "/workers/scripts/app/deployments");
  const deployments = "/workers/scripts/other/deployments";
  const [newest, older] = v.parse(Deployments, await test.call("get", deployments)).deployments;
  await test.call("get", `${deployments}/${newest?.id}`);
  await test.call("delete", `${deployments}/${older?.id}`);
}

/** Workers the way wrangler uploads them. */
async function scriptCalls(test: TestAccount) {
  const at = "/workers/scripts/site";
  const jwt = await uploaded(test, { "/index.html": "<h1>a</h1>", "/b.txt": "b" });
  const code = codeOf({});
  await deployWithAssets(test, "site", { code, assets: { jwt }, bindings: [{ type: "assets", name: "ASSETS" }] });
  const form = new FormData();
  form.append("metadata", JSON.stringify({ main_module: "index.js" }));
  form.append("index.js", new File([code], "index.js", { type: "application/javascript+module" }));
  const { id } = v.parse(Identified, await test.call("post", `${at}/versions`, form));
  await test.call("get", `${at}/versions`);
  await test.call("get", `${at}/versions/${id}`);
  await test.sdk.workers.scripts.get("site", { account_id: test.id });
  await test.sdk.workers.scripts.content.get("site", { account_id: test.id });
  await putScript(test, "site", { code });
  await test.call("get", "/workers/scripts");
  await test.call("put", `${at}/secrets`, { name: "S", text: "s", type: "secret_text" });
  await test.call("patch", `${at}/secrets-bulk`, { secrets: { T: { name: "T", text: "t", type: "secret_text" } } });
  await test.call("get", `${at}/secrets`);
  await test.call("get", `${at}/secrets/S`);
  await test.call("delete", `${at}/secrets/S`);
  await test.call("patch", `${at}/settings`, { tags: ["a"], placement: { mode: "smart" } });
  await test.call("get", `${at}/settings`);
  await test.call("patch", `${at}/script-settings`, { logpush: true, tail_consumers: [{ service: "other" }] });
  await test.call("get", `${at}/script-settings`);
  await test.call("get", "/workers/tails/by-consumer/other");
  await test.call("put", `${at}/schedules`, [{ cron: "*/5 * * * *" }]);
  await test.call("get", `${at}/schedules`);
  await test.sdk.post("/local/cron", { body: { worker: "site" } });
  await test.sdk.post("/local/expire", { body: {} });
  await test.sdk.post("/local/snapshot", { body: { folder: path.join(temporaryDirectory(), "saved") } });
  await test.sdk.put("/local/faults", { body: { faults: [] } });
  const tail = await test.sdk.workers.scripts.tail.create("site", { account_id: test.id });
  await test.call("get", `${at}/tails`);
  await test.call("delete", `${at}/tails/${tail.id}`);
}

/** What a client asks about what is there. */
async function questions(test: TestAccount) {
  for (const name of ["app", "site"]) {
    await test.call("get", `/workers/services/${name}`);
    await test.call("get", `/workers/services/${name}/environments/production`);
    await test.call("get", `/workers/services/${name}/environments/production/bindings`);
    await test.call("get", `/workers/scripts/${name}/references`);
    await test.call("get", `/workers/workers/${name}`);
    await test.call("get", `/workers/scripts/${name}/settings`);
  }
  const [id] = Object.values(await test.namespaces());
  await test.call("get", `/workers/durable_objects/namespaces/${id}/objects`);
  await test.call("post", "/workers/observability/telemetry/query", {
    queryId: "requests",
    timeframe: { from: Date.now() - 60_000, to: Date.now() },
    view: "calculations",
    parameters: {
      filters: [{ key: "$workers.scriptName", operation: "eq", type: "string", value: "app" }],
      calculations: [{ operator: "count", alias: "n" }],
      groupBys: [{ type: "string", value: "$workers.outcome" }],
    },
  });
  await test.sdk.post("/graphql", {
    body: { query: "{ viewer { accounts { workersInvocationsAdaptive(limit: 1) { sum { requests } } } } }" },
  });
}
