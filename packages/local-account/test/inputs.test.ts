/** Wrong or unusual input: refused with what is wrong, or taken as it is. Never an internal error. */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { expect, it, onTestFinished, vi } from "vitest";
import { ApiError } from "../src/errors.ts";
import { OwnCalls } from "../src/runtime/own-calls.ts";
import { account, live, refusal, type TestAccount, versionBody } from "./support.ts";

/** A call with any body. */
async function send(test: TestAccount, method: string, at: string, init: RequestInit = {}) {
  const headers = { ...Object.fromEntries(new Headers(init.headers)), authorization: `Bearer ${test.running.token}` };
  return fetch(`${test.running.apiUrl}/accounts/${test.id}${at}`, { ...init, method, headers });
}

const Refused = v.object({ errors: v.array(v.object({ message: v.string() })) });

/** The status and the sentence of a call that is refused. */
async function refused(answer: Response): Promise<{ status: number; message: string }> {
  const { errors } = v.parse(Refused, await answer.json());
  return { status: answer.status, message: errors[0]?.message ?? "" };
}

const FORM = { "content-type": "multipart/form-data; boundary=b" };
const partOf = (name: string, contents: Uint8Array) =>
  Buffer.concat([
    Buffer.from(`--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`),
    contents,
    Buffer.from("\r\n--b--\r\n"),
  ]);

const namespaceOf = async ({ sdk, id }: TestAccount) => {
  const { id: namespace } = await sdk.kv.namespaces.create({ account_id: id, title: "kv" });
  return `/storage/kv/namespaces/${namespace}`;
};

/** Uploads files of SQL to a new database. Returns for each the call that runs it. */
async function anImport(test: TestAccount) {
  const { uuid = "" } = await test.sdk.d1.database.create({ account_id: test.id, name: "app" });
  const importing = (step: object) => test.call("post", `/d1/database/${uuid}/import`, step);
  return async (contents: Buffer) => {
    const etag = createHash("md5").update(contents).digest("hex");
    const begun = await importing({ action: "init", etag });
    if (typeof begun !== "object" || begun === null || !("filename" in begun && "upload_url" in begun))
      throw new Error("there is no address for the upload");
    const uploaded = await fetch(String(begun.upload_url), { method: "PUT", body: new Uint8Array(contents) });
    expect(uploaded.headers.get("etag")).toBe(`"${etag}"`);
    return () => importing({ action: "ingest", etag, filename: begun.filename });
  };
}

it("runs an import that a restart has cut off when it is sent again, and twice at no time", async () => {
  const test = await account();
  const ingest = await (await anImport(test))(Buffer.from("CREATE TABLE t (n); INSERT INTO t VALUES (1);"));
  const cutOff = new ApiError(503, 10013, "The account restarted its runtime. Send the call again.");
  const query = vi.spyOn(OwnCalls.prototype, "query").mockRejectedValueOnce(cutOff);
  onTestFinished(() => query.mockRestore());
  expect(await refusal(ingest())).toMatchObject({ status: 503 });
  const [first, second] = await Promise.allSettled([ingest(), ingest()]);
  expect([first.status, second.status].sort()).toEqual(["fulfilled", "rejected"]);
  expect(await refusal(ingest())).toMatchObject({ status: 400, message: expect.stringContaining("was not uploaded") });
});

it("imports a file of SQL by its bytes: without a byte order mark, and only UTF-8", async () => {
  const test = await account();
  const upload = await anImport(test);
  const run = async (contents: Buffer) => (await upload(contents))();
  expect(await run(Buffer.from("\ufeffCREATE TABLE t (name); INSERT INTO t VALUES ('ä');"))).toMatchObject({
    status: "complete",
    result: { num_queries: 2 },
  });
  const latin1 = Buffer.from("INSERT INTO t VALUES ('ä');", "latin1");
  expect(await refusal(run(latin1))).toMatchObject({
    status: 400,
    message: expect.stringContaining("not UTF-8 from byte 23 on"),
  });
  expect(await test.call("post", "/d1/database/app/query", { sql: "SELECT name FROM t" })).toMatchObject([
    { results: [{ name: "ä" }] },
  ]);
});

it("answers with an object whose metadata no header can have", async () => {
  const test = await account();
  await test.call("post", "/r2/buckets", { name: "blobs" });
  await test.deploy("app", {
    bindings: [{ type: "r2_bucket", name: "BLOBS", bucket_name: "blobs" }],
    fetch: `await env.BLOBS.put("a", "text", { httpMetadata: { contentDisposition: 'attachment; filename="日本.txt"' } });
      return Response.json({});`,
  });
  await test.ask("app");
  const answer = await send(test, "GET", "/r2/buckets/blobs/objects/a");
  expect(answer.status).toBe(200);
  const disposition = answer.headers.get("content-disposition") ?? "";
  expect(Buffer.from(disposition, "latin1").toString()).toBe('attachment; filename="日本.txt"');
});

it("refuses messages that are too large for a queue", async () => {
  const test = await account();
  const { queue_id } = await test.sdk.queues.create({ account_id: test.id, queue_name: "mails" });
  const large = { body: "x".repeat(128_001), content_type: "text" };
  expect(await refusal(test.call("post", `/queues/${queue_id}/messages`, large))).toMatchObject({
    status: 413,
    message: "a message has up to 128000 bytes, not 128001.",
  });
  const messages = Array.from({ length: 3 }, () => ({ body: "x".repeat(100_000), content_type: "text" }));
  expect(await refusal(test.call("post", `/queues/${queue_id}/messages/batch`, { messages }))).toMatchObject({
    status: 413,
    message: "a batch has up to 256000 bytes, not 300000.",
  });
});

it("takes any compatibility date up to today, also one that workerd does not have yet, and none to come", async () => {
  const test = await account();
  const day = (after: number) => new Date(Date.now() + after * 86_400_000).toISOString().slice(0, 10);
  const upload = (compatibility_date: string) =>
    test.call("post", "/workers/workers/app/versions?deploy=true", {
      ...versionBody({ tag: compatibility_date, exports: live("Room"), classes: ["Room"] }),
      compatibility_date,
    });
  await test.ensure("app");
  const today = day(0);
  expect(await upload(today)).toMatchObject({ compatibility_date: today });
  expect((await test.ask("app")).json()).toMatchObject({ tag: today });
  expect(await refusal(upload(day(2)))).toMatchObject({
    status: 400,
    code: 10021,
    message: "compatibility_date: must not be after today (UTC)",
  });
});

it("cuts messages of versions and deployments to 1,000 bytes, and refuses a tag with more than 100", async () => {
  const test = await account();
  const long = { "workers/message": `${"x".repeat(999)}ü and more`, "workers/tag": "t".repeat(100) };
  const { id } = await test.deploy("app", { annotations: long });
  const versions = "/workers/scripts/app/versions";
  expect(await test.call("get", `${versions}/${id}`)).toMatchObject({
    annotations: { "workers/message": "x".repeat(999), "workers/tag": long["workers/tag"] },
  });
  const deployed = await test.call("post", "/workers/scripts/app/deployments", {
    versions: [{ version_id: id, percentage: 100 }],
    annotations: { "workers/message": "é".repeat(501) },
  });
  expect(deployed).toMatchObject({ annotations: { "workers/message": "é".repeat(500) } });
  expect(await refusal(test.upload("app", { annotations: { "workers/tag": "é".repeat(51) } }))).toMatchObject({
    status: 400,
    message: "annotations.workers/tag: it has 102 bytes; at most 100 are allowed.",
  });
});

it("refuses streaming tail consumers, in an upload and in settings", async () => {
  const test = await account();
  await test.deploy("app", { tag: "app" });
  const sent = { streaming_tail_consumers: [{ service: "app" }] };
  const none = { streaming_tail_consumers: [] };
  const upload = (more: object) =>
    test.call("post", "/workers/workers/app/versions", { ...versionBody({ tag: "app" }), ...more });
  const at = "/workers/scripts/app";
  const patch = (settings: string) => (more: object) => test.call("patch", `${at}/${settings}`, more);
  for (const call of [patch("settings"), patch("script-settings"), upload]) {
    expect(await refusal(call(sent))).toMatchObject({
      status: 501,
      message: expect.stringContaining("streaming_tail_consumers"),
    });
    await call(none);
  }
});

it("gives a Worker without settings the same defaults, whether it is made or replaced", async () => {
  const test = await account();
  const defaults = { observability: { enabled: false, head_sampling_rate: 1 }, logpush: false, tags: [] };
  expect(await test.call("post", "/workers/workers", { name: "app" })).toMatchObject(defaults);
  expect(await test.call("put", "/workers/workers/app", { name: "app" })).toMatchObject(defaults);
});

it("refuses settings of a Worker that are none", async () => {
  const test = await account();
  await test.deploy("app", { tag: "app" });
  const at = "/workers/scripts/app/settings";
  const change = (settings: object) => refusal(test.call("patch", at, settings));
  expect(await change({ compatibility_date: "foo" })).toMatchObject({
    status: 400,
    message: "compatibility_date: must be a date as YYYY-MM-DD",
  });
  expect(await change({ compatibility_date: "2999-01-01" })).toMatchObject({ status: 400, code: 10021 });
  expect(await change({ compatibility_flags: ["no_such_flag"] })).toMatchObject({ status: 400, code: 10021 });
  const noJson = await send(test, "PATCH", at, { headers: FORM, body: partOf("settings", Buffer.from("x")) });
  expect(await refused(noJson)).toMatchObject({
    status: 400,
    message: expect.stringContaining("settings: must be JSON"),
  });
  const noForm = await send(test, "PATCH", at, { headers: FORM, body: "x" });
  expect(await refused(noForm)).toMatchObject({
    status: 400,
    message: expect.stringContaining("not multipart/form-data"),
  });
  expect(await test.call("patch", at, { compatibility_date: "2026-10-01" })).toMatchObject({
    compatibility_date: "2026-10-01",
  });
});

it("refuses KV keys and times that nothing can have", async () => {
  const test = await account();
  const at = await namespaceOf(test);
  const status = async (call: Promise<unknown>) => (await refusal(call)).status;
  expect(await status(test.call("post", `${at}/bulk/get`, { keys: [".."] }))).toBe(400);
  expect(await status(test.call("put", `${at}/values/a?expiration=99999999999999999999`, "x"))).toBe(400);
  for (const times of [
    { expiration: 1e300 },
    { expiration: 2 ** 31 },
    { expiration_ttl: 60.5 },
    { expiration_ttl: 1e12 },
  ])
    expect(await status(test.call("put", `${at}/bulk`, [{ key: "a", value: "", ...times }]))).toBe(400);
  const noForm = await send(test, "PUT", `${at}/values/a`, { headers: FORM, body: "x" });
  expect(await refused(noForm)).toMatchObject({ status: 400 });
  expect(await test.call("get", `${at}/keys`)).toEqual([]);
  await test.call("put", `${at}/values/a?expiration=${2 ** 31 - 1}`, "x");
  expect(await test.call("get", `${at}/keys`)).toEqual([{ name: "a", expiration: 2 ** 31 - 1 }]);
  const beginning = (prefix: string) => test.call("get", `${at}/keys?prefix=${encodeURIComponent(prefix)}`);
  for (const prefix of ["a".repeat(512), "ä".repeat(256), ".."]) expect(await beginning(prefix)).toEqual([]);
  expect(await beginning("a")).toHaveLength(1);
  for (const prefix of ["a".repeat(513), "ä".repeat(257)])
    expect(await refusal(beginning(prefix))).toMatchObject({
      status: 400,
      code: 10021,
      message: expect.stringContaining("512 bytes"),
    });
});

it("leaves the storage class of a bucket as it is where an edit has none", async () => {
  const test = await account();
  await test.call("post", "/r2/buckets", { name: "files", storageClass: "InfrequentAccess" });
  const edit = (body: object) => test.call("patch", "/r2/buckets/files", body);
  expect(await edit({})).toMatchObject({ storage_class: "InfrequentAccess" });
  expect(await edit({ storageClass: "Standard" })).toMatchObject({ storage_class: "Standard" });
  expect(await refusal(edit({ storageClass: "Cold" }))).toMatchObject({ status: 400, code: 10062 });
});

it("refuses a storage class that is no text", async () => {
  const test = await account();
  await test.call("post", "/r2/buckets", { name: "blobs" });
  for (const storageClass of [5, null])
    expect(await refusal(test.call("patch", "/r2/buckets/blobs", { storageClass }))).toMatchObject({
      status: 400,
      message: expect.stringContaining("storageClass"),
    });
});

/** Uploads modules in a form whose parts are all named `part`, as the SDK (to its version 6) and others do. */
function formOf(files: readonly File[], part = "files"): FormData {
  const form = new FormData();
  const metadata = JSON.stringify({ main_module: "app.mjs", compatibility_date: "2026-11-01" });
  form.append("metadata", new File([metadata], "metadata", { type: "application/json" }));
  for (const file of files) form.append(part, file);
  return form;
}

const ES_MODULE = { type: "application/javascript+module" };

it("names the modules of a form by their files, or by their parts where those have the name", async () => {
  const test = await account();
  const sent = formOf([
    new File(['import b from "./b.mjs"; export default { fetch: () => new Response(b) };'], "app.mjs", ES_MODULE),
    new File(['export default "from b";'], "b.mjs", ES_MODULE),
  ]);
  expect((await send(test, "PUT", "/workers/scripts/app", { body: sent })).status).toBe(200);
  await test.call("post", "/workers/scripts/app/subdomain", { enabled: true });
  expect((await test.ask("app")).text).toBe("from b");
  const version = formOf([new File(["export default { fetch() {} };"], "dist.js", ES_MODULE)], "app.mjs");
  expect((await send(test, "POST", "/workers/scripts/app/versions", { body: version })).status).toBe(200);
});

it("says of a service worker, and of Python, that it does not run them", async () => {
  const test = await account();
  const put = async (init: RequestInit) => refused(await send(test, "PUT", "/workers/scripts/app", init));
  const alone = { headers: { "content-type": "application/javascript" }, body: "addEventListener('fetch', () => {})" };
  expect(await put(alone)).toMatchObject({ status: 501, message: expect.stringContaining("module Workers only") });
  const python = new File(["from workers import Response"], "app.mjs", { type: "text/x-python" });
  expect(await put({ body: formOf([python]) })).toMatchObject({
    status: 501,
    message: expect.stringContaining("Python"),
  });
  expect(await test.call("get", "/workers/scripts")).toEqual([]);
});

it("keeps a KV value of a form as its bytes are", async () => {
  const test = await account();
  const at = await namespaceOf(test);
  const bytes = Buffer.from([0xef, 0xbb, 0xbf, 0x00, 0xff, 0x80, 0x0d, 0x0a, 0xc3]);
  const put = await send(test, "PUT", `${at}/values/a`, { headers: FORM, body: partOf("value", bytes) });
  expect(put.status).toBe(200);
  const answer = await send(test, "GET", `${at}/values/a`);
  expect(Buffer.from(await answer.arrayBuffer())).toEqual(bytes);
});

it("takes keys with a line feed, for KV and R2, and only with the account's token", async () => {
  const test = await account();
  await test.call("post", "/r2/buckets", { name: "blobs" });
  for (const at of [`${await namespaceOf(test)}/values/a%0Ab`, "/r2/buckets/blobs/objects/a%0Ab"]) {
    const put = await send(test, "PUT", at, { headers: { "content-type": "text/plain" }, body: "text" });
    expect(put.status).toBe(200);
    expect(await (await send(test, "GET", at)).text()).toBe("text");
    const { status } = await fetch(`${test.running.apiUrl}/accounts/${test.id}${at}`);
    expect(status).toBe(401);
    expect((await send(test, "DELETE", at)).status).toBe(200);
    expect((await send(test, "GET", at)).status).toBe(404);
  }
});

it("takes a slash at the end of a path for nothing, but not at the end of a key", async () => {
  const test = await account();
  const { id } = await test.sdk.kv.namespaces.create({ account_id: test.id, title: "kv" });
  expect(await test.call("get", "/storage/kv/namespaces/")).toMatchObject([{ id }]);
  await test.deploy("app", { tag: "x" });
  expect(await test.call("get", "/workers/scripts/app/settings/")).toMatchObject({ bindings: [] });
  await test.call("post", "/r2/buckets", { name: "files" });
  for (const at of [`/storage/kv/namespaces/${id}/values`, "/r2/buckets/files/objects"]) {
    const ask = (method: string, key: string) =>
      fetch(`${test.running.apiUrl}/accounts/${test.id}${at}/${key}`, {
        method,
        headers: { Authorization: `Bearer ${test.running.token}` },
        ...(method === "PUT" && { body: key }),
      });
    for (const key of ["folder", "folder/"]) expect((await ask("PUT", key)).status).toBe(200);
    for (const key of ["folder", "folder/"]) expect(await (await ask("GET", key)).text()).toBe(key);
  }
  expect(await test.call("get", "/r2/buckets/files/objects/")).toMatchObject([{ key: "folder" }, { key: "folder/" }]);
});

it("refuses names of databases that no address can have", async () => {
  const test = await account();
  for (const name of ["a/b ?x", "", "-a"])
    expect(await refusal(test.call("post", "/d1/database", { name }))).toMatchObject({ status: 400, code: 10021 });
  expect(await test.call("post", "/d1/database", { name: "my-app_2" })).toMatchObject({ name: "my-app_2" });
});

it("inherits a binding in a patch of the newest version", async () => {
  const test = await account();
  await test.deploy("app", { bindings: [{ type: "plain_text", name: "X", text: "x" }] });
  const patch = (env: object) => test.call("patch", "/workers/workers/app/versions/latest", { env });
  expect(await patch({ X: { type: "inherit" }, Y: { type: "inherit", old_name: "X" } })).toMatchObject({
    bindings: [
      { type: "plain_text", name: "X", text: "x" },
      { type: "plain_text", name: "Y", text: "x" },
    ],
  });
  expect(await refusal(patch({ Z: { type: "inherit" } }))).toMatchObject({ status: 400, code: 10057 });
});

it("an upload is looked at where no other user of the machine can put another in its place", async () => {
  const test = await account();
  const sent = vi.spyOn(globalThis, "fetch");
  onTestFinished(() => sent.mockRestore());
  await test.deploy("app", { tag: "one" });
  const [prober] =
    sent.mock.calls.find(([url, init]) => init?.method === "PUT" && !`${url}`.includes("/client/")) ?? [];
  for (const method of ["PUT", "POST"]) {
    const answer = await fetch(`${prober}`, { method, body: JSON.stringify({ modules: [] }) });
    expect([answer.status, await answer.text()]).toEqual([404, "not found"]);
  }
});
