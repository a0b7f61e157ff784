/** The adapter's requests and answers are the real provider's, as far as those were recorded. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Api, ApiError } from "../../infra/provider/api.ts";
import { ask } from "../../infra/provider/functions.ts";
import { kindOf } from "../../infra/provider/index.ts";
import { check, difference } from "../../infra/provider/kind.ts";
import { fromWire, toWire } from "../../infra/provider/names.ts";
import { type Properties, UNKNOWN } from "../../infra/provider/values.ts";
import { scratch } from "../scratch.ts";

const folder = scratch();
writeFileSync(join(folder, "index.js"), "export default {};\n");

const token = (name: string) => `cloudflare:index/${name.charAt(0).toLowerCase()}${name.slice(1)}:${name}`;

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly headers: Headers;
}

/** An API that answers with the given results in turn, and records the requests. */
function apiThatAnswers(...answers: readonly (Properties | Response)[]) {
  const sent: Sent[] = [];
  const remaining = [...answers];
  const api = new Api(
    { baseUrl: "http://api.test/client/v4", token: "token" },
    {
      fetch: async (url, init) => {
        const request = new Request(url, init);
        const { pathname, search } = new URL(request.url);
        const text = await request.text();
        const body = text === "" ? undefined : JSON.parse(text);
        sent.push({ method: request.method, path: pathname + search, body, headers: request.headers });
        const answer = remaining.shift() ?? {};
        return answer instanceof Response ? answer : Response.json({ success: true, result: answer });
      },
    },
  );
  return { api, sent, context: { api, folder } };
}

/** Checks the inputs and creates the resource, like both users of the adapter. */
async function create(name: string, given: Properties, result: Properties) {
  const kind = kindOf(token(name));
  const { inputs, problems } = check(kind, given);
  expect(problems).toEqual([]);
  const { sent, context } = apiThatAnswers(result);
  return { kind, inputs, sent, made: await kind.create(context, inputs) };
}

describe("what is sent", () => {
  it("a Worker is sent with every default", async () => {
    const { sent, made } = await create(
      "Worker",
      { accountId: "acc", name: "w", observability: { enabled: true } },
      { id: "1", name: "w", subdomain: { enabled: false, previews_enabled: false, url: "u" }, deployed_on: null },
    );
    expect(sent).toMatchObject([{ method: "POST", path: "/client/v4/accounts/acc/workers/workers" }]);
    expect(sent[0]?.body).toEqual({
      logpush: false,
      name: "w",
      observability: {
        enabled: true,
        head_sampling_rate: 1,
        traces: { destinations: [], enabled: false, head_sampling_rate: 1, persist: true },
      },
      subdomain: { enabled: false, previews_enabled: false },
      tags: [],
      tail_consumers: [],
    });
    expect(sent[0]?.headers.get("authorization")).toBe("Bearer token");
    expect(made.state).toMatchObject({ accountId: "acc", subdomain: { enabled: false, url: "u" } });
    expect(made.state).not.toHaveProperty("deployedOn");
  });

  it("a bucket is sent in camelCase, and read back in snake_case", async () => {
    const { sent, made } = await create(
      "R2Bucket",
      { accountId: "acc", name: "b" },
      { name: "b", storage_class: "Standard", location: "WEUR", creation_date: "now", jurisdiction: "default" },
    );
    expect(sent[0]?.body).toEqual({ name: "b", storageClass: "Standard" });
    expect(made).toMatchObject({ id: "b", state: { storageClass: "Standard", location: "WEUR", creationDate: "now" } });
  });

  it("a version is sent with its files' contents and its bindings by name; the state has neither", async () => {
    const { sent, made } = await create(
      "WorkerVersion",
      {
        accountId: "acc",
        workerId: "w",
        deploy: true,
        mainModule: "index.js",
        annotations: { workersTag: "t", workersMessage: "m" },
        modules: [{ name: "index.js", contentType: "application/javascript+module", contentFile: "index.js" }],
        bindings: [
          { type: "secret_text", name: "SECRET", text: "hidden" },
          { type: "json", name: "DATA", json: '{ "camelCase": { "snake_case": 1 } }' },
          { type: "durable_object_namespace", name: "BOX", className: "Box" },
        ],
        exports: { My_Box: { type: "durable-object", state: "renamed", renamedTo: "Box" } },
      },
      {
        id: "v",
        annotations: { "workers/tag": "t", "workers/message": "m", "workers/triggered_by": "upload" },
        bindings: [
          { type: "durable_object_namespace", name: "BOX", class_name: "Box", namespace_id: "n" },
          { type: "json", name: "DATA", json: { camelCase: { snake_case: 1 } } },
          { type: "secret_text", name: "SECRET" },
        ],
        exports_reconciliation: { created: ["Box"], info: [], transfer_pending: [] },
      },
    );
    expect(sent[0]?.path).toBe("/client/v4/accounts/acc/workers/workers/w/versions?deploy=true");
    expect(sent[0]?.body).toEqual({
      main_module: "index.js",
      usage_model: "standard",
      annotations: { "workers/tag": "t", "workers/message": "m" },
      modules: [
        {
          name: "index.js",
          content_type: "application/javascript+module",
          content_base64: Buffer.from("export default {};\n").toString("base64"),
        },
      ],
      bindings: [
        { type: "durable_object_namespace", name: "BOX", class_name: "Box" },
        { type: "json", name: "DATA", json: { camelCase: { snake_case: 1 } } },
        { type: "secret_text", name: "SECRET", text: "hidden" },
      ],
      exports: { My_Box: { type: "durable-object", state: "renamed", renamed_to: "Box" } },
    });
    expect(made.state).toMatchObject({
      annotations: { workersTriggeredBy: "upload" },
      // In the order of the inputs, so that the engine's marks of secrets stay in place.
      bindings: [
        { name: "SECRET", text: "hidden" },
        { name: "DATA", json: '{ "camelCase": { "snake_case": 1 } }' },
        { name: "BOX", namespaceId: "n" },
      ],
      modules: [{ contentFile: "index.js", contentSha256: expect.stringMatching(/^[0-9a-f]{64}$/) }],
      exportsReconciliation: { createds: ["Box"], infos: [], transferPendings: [] },
    });
    expect(JSON.stringify(made.state)).not.toContain("contentBase64");
  });

  it.each([
    [
      "WorkersKvNamespace",
      { accountId: "a", title: "t" },
      "POST /client/v4/accounts/a/storage/kv/namespaces",
      { title: "t" },
    ],
    [
      "WorkersRoute",
      { zoneId: "z", pattern: "p", script: "s" },
      "POST /client/v4/zones/z/workers/routes",
      { pattern: "p", script: "s" },
    ],
    [
      "WorkersCustomDomain",
      { accountId: "a", zoneId: "z", hostname: "h", service: "s" },
      "PUT /client/v4/accounts/a/workers/domains",
      { zone_id: "z", hostname: "h", service: "s" },
    ],
    [
      "WorkersScriptSubdomain",
      { accountId: "a", scriptName: "s", enabled: true, previewsEnabled: false },
      "POST /client/v4/accounts/a/workers/scripts/s/subdomain",
      { enabled: true, previews_enabled: false },
    ],
    [
      "WorkersCronTrigger",
      { accountId: "a", scriptName: "s", schedules: [{ cron: "0 * * * *" }] },
      "PUT /client/v4/accounts/a/workers/scripts/s/schedules",
      [{ cron: "0 * * * *" }],
    ],
    [
      "WorkersDeployment",
      {
        accountId: "a",
        scriptName: "s",
        strategy: "percentage",
        versions: [{ versionId: "v", percentage: 100 }],
        force: true,
      },
      "POST /client/v4/accounts/a/workers/scripts/s/deployments?force=true",
      { strategy: "percentage", versions: [{ version_id: "v", percentage: 100 }] },
    ],
  ])("a %s", async (name, inputs, request, body) => {
    const { sent } = await create(name, inputs, { id: "1" });
    expect(sent.map(({ method, path }) => `${method} ${path}`)).toEqual([request]);
    expect(sent[0]?.body).toEqual(body);
  });

  it("a bucket of a jurisdiction is requested in that jurisdiction", async () => {
    const { api, sent } = apiThatAnswers({ name: "b" });
    await kindOf(token("R2Bucket")).read({ api, folder }, "b", { accountId: "a", jurisdiction: "eu" });
    expect(sent[0]?.headers.get("cf-r2-jurisdiction")).toBe("eu");
  });
});

describe("what is a change", () => {
  const inputs = {
    accountId: "acc",
    workerId: "w",
    modules: [{ name: "index.js", contentType: "t", contentFile: "index.js" }],
    bindings: [
      { type: "json", name: "B", json: '{"a":1}' },
      { type: "plain_text", name: "A", text: "x" },
    ],
  };
  const version = kindOf(token("WorkerVersion"));
  const result = {
    id: "v",
    bindings: [
      { type: "plain_text", name: "A", text: "x" },
      { type: "json", name: "B", json: { a: 1 } },
    ],
    modules: [
      {
        name: "index.js",
        content_type: "t",
        content_base64: Buffer.from("export default {};\n").toString("base64"),
      },
    ],
  };
  const read = async () => {
    const { context } = apiThatAnswers(result);
    return (await version.read(context, "v", inputs)) ?? {};
  };
  const changed = async (next: Properties, ignore: readonly string[] = []) =>
    difference(version, { inputs, state: await read() }, next, { folder, ignore }).replacing;

  it("not a version that is read back as it was created", async () => {
    expect(await changed(inputs)).toEqual([]);
  });

  it("not the order of the bindings, nor the formatting of their JSON", async () => {
    const bindings = [
      { type: "plain_text", name: "A", text: "x" },
      { type: "json", name: "B", json: '{ "a": 1 }' },
    ];
    expect(await changed({ ...inputs, bindings })).toEqual([]);
  });

  it("a binding's value, one more, and one less", async () => {
    const [json, plain] = inputs.bindings;
    const other = { type: "plain_text", name: "A", text: "y" };
    expect(await changed({ ...inputs, bindings: [json, other] })).toEqual(["bindings"]);
    expect(await changed({ ...inputs, bindings: [json, plain, { ...other, name: "C" }] })).toEqual(["bindings"]);
    expect(await changed({ ...inputs, bindings: [json] })).toEqual(["bindings"]);
  });

  it("other contents of the same file", async () => {
    const state = await read();
    writeFileSync(join(folder, "index.js"), "export default { changed: true };\n");
    expect(difference(version, { inputs, state }, inputs, { folder }).replacing).toEqual(["modules"]);
    writeFileSync(join(folder, "index.js"), "export default {};\n");
  });

  it("not another file with the same contents, which is recorded without a call", async () => {
    writeFileSync(join(folder, "copy.js"), "export default {};\n");
    const copied = { ...inputs, modules: [{ name: "index.js", contentType: "t", contentFile: "copy.js" }] };
    const state = await read();
    expect(difference(version, { inputs, state }, copied, { folder })).toEqual({ changed: ["modules"], replacing: [] });
    const { context, sent } = apiThatAnswers();
    const after = await version.update?.(context, "v", copied, state);
    expect(sent).toEqual([]);
    expect(after).toMatchObject({ modules: [{ contentFile: "copy.js" }], bindings: state.bindings });
  });

  it("a property that is removed, and one that is not known yet", async () => {
    const old = { inputs: { ...inputs, usageModel: "standard" }, state: { ...(await read()), usageModel: "standard" } };
    expect(difference(version, old, inputs, { folder }).changed).toEqual(["usageModel"]);
    const taken = difference(version, old, inputs, { folder });
    expect(taken.replacing, "it was not configured any more").toEqual([]);
    expect(await changed({ ...inputs, workerId: UNKNOWN })).toEqual(["workerId"]);
  });

  it("not an ignored property", async () => {
    const tombstone = { exports: { Box: { type: "durable-object", state: "deleted" } } };
    expect(await changed({ ...inputs, ...tombstone })).toEqual(["exports"]);
    expect(await changed({ ...inputs, ...tombstone }, ["exports"])).toEqual([]);
  });

  it("in place if the provider can, and by replacement if it cannot", () => {
    const bucket = kindOf(token("R2Bucket"));
    const old = { accountId: "a", name: "b", storageClass: "Standard", location: "weur" };
    const state = { ...old, location: "WEUR" };
    const against = (next: Properties) => difference(bucket, { inputs: old, state }, { ...old, ...next }, { folder });
    expect(against({})).toEqual({ changed: [], replacing: [] });
    expect(against({ storageClass: "InfrequentAccess" })).toEqual({ changed: ["storageClass"], replacing: [] });
    expect(against({ jurisdiction: "eu" })).toEqual({ changed: ["jurisdiction"], replacing: [] });
    expect(against({ name: "other" })).toEqual({ changed: ["name"], replacing: ["name"] });
    // A bucket's location cannot change, and the provider keeps the old one.
    expect(against({ location: "apac" })).toEqual({ changed: [], replacing: [] });
  });
});

describe("what is refused", () => {
  it("inputs without required properties, all named at once", () => {
    const { problems } = check(kindOf(token("WorkersDeployment")), { accountId: "a", strategy: null });
    expect(problems.map(({ property }) => property)).toEqual(["scriptName", "strategy", "versions"]);
  });

  it("a missing file, by its name in the inputs", async () => {
    const modules = [{ name: "index.js", contentType: "t", contentFile: "gone.js" }];
    await expect(create("WorkerVersion", { accountId: "a", workerId: "w", modules }, {})).rejects.toThrow(
      /^module index\.js: contentFile gone\.js cannot be read \(ENOENT.*build the release first$/,
    );
  });

  it("a request, with every code and detail of the API's answer", async () => {
    const meta = {
      details: [
        { class: "Box", scenario: "orphaned_provisioned_namespace", message: "left over", suggestion: "Delete it." },
      ],
    };
    const errors = [{ code: 100402, message: "Reconciliation failed" }];
    const { api } = apiThatAnswers(Response.json({ success: false, errors, meta }, { status: 400 }));
    const refused = api.post("/accounts/a/workers/workers/w/versions", { secret: "hidden" });
    await expect(refused).rejects.toThrow(ApiError);
    await expect(refused).rejects.toThrow(
      "POST /accounts/a/workers/workers/w/versions was answered 400: 100402 Reconciliation failed\n  Box: orphaned_provisioned_namespace: left over Delete it.",
    );
  });

  it("an unknown type or data source, with the known ones", async () => {
    expect(() => kindOf("cloudflare:index/queue:Queue")).toThrow(/no such type.*WorkersRoute/);
    const { api } = apiThatAnswers();
    expect(() => ask("cloudflare:index/getQueue:getQueue", api, {})).toThrow(/no such data source.*getWorkers,/);
    expect(() => ask("other:index/getWorkers:getWorkers", api, {})).toThrow(/no such data source/);
  });
});

describe("data sources", () => {
  it("a list is read to its last page, or to the asked number", async () => {
    const page = (number: number, ...names: string[]) =>
      Response.json({ result: names.map((name) => ({ name })), result_info: { page: number, total_pages: 2 } });
    const pages = () => apiThatAnswers(page(1, "a", "b"), page(2, "c"));
    const all = pages();
    const { results } = await ask(token("getWorkers"), all.api, { accountId: "acc" });
    expect(results).toEqual([{ name: "a" }, { name: "b" }, { name: "c" }]);
    expect(all.sent.map(({ path }) => path.replace(/.*workers/, ""))).toEqual([
      "?per_page=100",
      "?per_page=100&page=2",
    ]);
    const first = pages();
    expect(await ask(token("getWorkers"), first.api, { accountId: "acc", maxItems: 1 })).toMatchObject({
      results: [{ name: "a" }],
    });
    expect(first.sent).toHaveLength(1);
  });

  it("deployments are nested as the provider does, and bindings have their JSON as text", async () => {
    const deployments = [{ id: "d", versions: [{ version_id: "v", percentage: 100 }] }];
    const { api } = apiThatAnswers(
      { deployments },
      { id: "v", bindings: [{ type: "json", name: "A", json: { b_c: 1 } }] },
    );
    expect(await ask(token("getWorkersDeployments"), api, { accountId: "a", scriptName: "s" })).toMatchObject({
      results: [{ deployments: [{ id: "d", versions: [{ versionId: "v", percentage: 100 }] }] }],
    });
    expect(await ask(token("getWorkerVersion"), api, { accountId: "a", workerId: "w", versionId: "v" })).toMatchObject({
      bindings: [{ json: '{"b_c":1}' }],
    });
  });

  it("a zone by its name must be one", async () => {
    const zone = (...names: string[]) => apiThatAnswers(Response.json({ result: names.map((id) => ({ id })) })).api;
    const filter = { filter: { name: "example.com" } };
    expect(await ask(token("getZone"), zone("z"), filter)).toMatchObject({ zoneId: "z" });
    await expect(ask(token("getZone"), zone(), filter)).rejects.toThrow(/0 zones match \{"name":"example.com"\}/);
    await expect(ask(token("getZone"), zone("a", "b"), filter)).rejects.toThrow(/2 zones match/);
  });
});

describe("names", () => {
  it("go to the wire and come back as they were", () => {
    const properties = {
      headSamplingRate: 1,
      contentSha256: "x",
      annotations: { workersTriggeredBy: "api" },
      exports: { My_Class: { transferFrom: "w" }, other: { renamedTo: "My_Class" } },
      bindings: [{ json: { someKey: { other_key: 1 } } }],
    };
    expect(toWire(properties)).toEqual({
      head_sampling_rate: 1,
      content_sha256: "x",
      annotations: { "workers/triggered_by": "api" },
      exports: { My_Class: { transfer_from: "w" }, other: { renamed_to: "My_Class" } },
      bindings: [{ json: { someKey: { other_key: 1 } } }],
    });
    expect(fromWire(toWire(properties))).toEqual(properties);
  });
});
