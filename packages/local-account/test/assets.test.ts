/** Static assets through the API, as the SDK and the provider send them: sessions, versions, serving, storage. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, expect, it, onTestFinished, vi } from "vitest";
import { Api } from "../../../infra/provider/api.ts";
import { kindOf } from "../../../infra/provider/index.ts";
import { check, difference } from "../../../infra/provider/kind.ts";
import { AssetFiles } from "../src/assets/files.ts";
import { Generation } from "../src/runtime/generation.ts";
import { bearer, deployWithAssets, hashOf, openSession, type Parts, send, uploaded } from "./assets.ts";
import { servingAlone, workerds } from "./processes.ts";
import { account, codeOf, refusal, type TestAccount, temporaryDirectory } from "./support.ts";

afterEach(() => {
  vi.useRealTimers();
});

const stored = (dir: string) => readdirSync(path.join(dir, "assets/files")).length;
const deleteWorker = (test: TestAccount, name: string) => test.call("delete", `/workers/scripts/${name}`);

const SITE = { "/index.html": "home", "/a.txt": "A", "/deep/er/b.txt": "B" };
const BOUND = {
  code: codeOf({ fetch: "return env.ASSETS.fetch(request);" }),
  bindings: [{ name: "ASSETS", type: "assets" }],
};

it("asks only for missing files, gives a completion token after the last, and accepts no other token", async () => {
  const test = await account();
  const session = await openSession(test, SITE);
  expect(session.buckets).toEqual([Object.values(SITE).map(hashOf)]);
  expect(await send(test, session.jwt, "home")).toEqual({});
  expect((await openSession(test, SITE)).buckets).toEqual([["A", "B"].map(hashOf)]);

  expect(await refusal(deployWithAssets(test, "site", { assets: { jwt: session.jwt } }))).toMatchObject({
    status: 401,
    code: 10000,
  });
  const completion = await send(test, session.jwt, "A", "B");
  expect(completion.jwt?.split(".")).toHaveLength(3);
  const nothingMissing = await openSession(test, SITE);
  expect(nothingMissing.buckets).toEqual([]);

  for (const token of [completion.jwt, test.running.token, "x.y.z", `${session.jwt}x`, undefined])
    expect(await refusal(send(test, token, "A"))).toMatchObject({ status: 401, code: 10000 });
  expect(await refusal(test.sdk.get(`/accounts/${test.id}/workers/scripts`, bearer(session.jwt)))).toMatchObject({
    status: 401,
  });
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61 * 60_000 });
  expect(await refusal(send(test, session.jwt, "A"))).toMatchObject({ message: expect.stringContaining("expired") });
  expect(await refusal(deployWithAssets(test, "site", { assets: { jwt: completion.jwt } }))).toMatchObject({
    status: 401,
  });
});

it("refuses files that cannot be assets, all mistakes at once", async () => {
  const test = await account({ plan: "free" });
  const register = (manifest: object) => test.call("post", "/workers/scripts/site/assets-upload-session", { manifest });
  const entry = { hash: hashOf("x"), size: 1 };
  const paths = ["no-slash", "/../up", "/a//b", "/folder/", "/file", "/file/inside", `/${"n".repeat(256)}`];
  const refused = await refusal(register(Object.fromEntries(paths.map((at) => [at, entry]))));
  expect(refused).toMatchObject({ status: 400, code: 10021 });
  for (const at of paths.filter((each) => each !== "/file/inside")) expect(refused.message).toContain(`${at}: `);
  expect((await refusal(register({ "/big": { hash: "b", size: 25 * 1024 * 1024 + 1 } }))).message).toContain("25 MiB");
  expect((await refusal(register({ "/a": entry, "/b": { ...entry, size: 2 } }))).message).toContain("other size");
  const many = Object.fromEntries(Array.from({ length: 20_001 }, (_, index) => [`/${index}`, entry]));
  expect((await refusal(register(many))).message).toContain("20000");
  expect(await refusal(register({ "/a": { hash: "", size: 1 } }))).toMatchObject({ code: 10021 });

  const { jwt } = await openSession(test, { "/a.txt": "A" });
  expect((await refusal(send(test, jwt, "B"))).message).toContain("is not in the manifest");
  const wrong = { [hashOf("A")]: Buffer.from("longer").toString("base64") };
  const upload = `/accounts/${test.id}/workers/assets/upload`;
  const form = (parts: Record<string, string>) => {
    const body = new FormData();
    for (const [name, text] of Object.entries(parts)) body.append(name, text);
    return { body, ...bearer(jwt) };
  };
  expect((await refusal(test.sdk.post(`${upload}?base64=true`, form(wrong)))).message).toContain("6 bytes");
  expect((await refusal(test.sdk.post(upload, form(wrong)))).message).toContain("base64=true");
});

it("refuses invalid settings", async () => {
  const test = await account();
  const jwt = await uploaded(test, SITE);
  const refused = async (parts: Parts) => (await refusal(deployWithAssets(test, "site", parts))).message;
  const { code } = BOUND;
  expect(await refused({})).toContain("main_module");
  expect(await refused({ assets: {} })).toContain("assets.jwt");
  expect(await refused({ keep_assets: true, assets: { config: {} } })).toContain("assets.jwt");
  expect(await refused(BOUND)).toContain("Cannot use an assets binding without assets");
  expect(await refused({ assets: { jwt, config: { run_worker_first: true } } })).toContain("no script");
  expect(await refused({ code, assets: { jwt, config: { html_handling: "sometimes" } } })).toContain("html_handling");
  expect(await refused({ code, assets: { jwt, config: { base_path: "http://else" } } })).toContain("base_path");
  const rules = await refused({
    code,
    assets: { jwt, config: { run_worker_first: ["!/a", "b", "/c/*", "/c/d", "/c/*"] } },
  });
  for (const rule of ["'b'", "'/c/d'", "'/c/*' is there twice"]) expect(rules).toContain(rule);
  expect((await test.workers()).names).toEqual([]);
});

it("refuses _headers and _redirects that Cloudflare refuses, though Miniflare would skip the bad rules", async () => {
  const test = await account();
  const jwt = await uploaded(test, SITE);
  const refused = (config: object) => refusal(deployWithAssets(test, "site", { assets: { jwt, config } }));
  const both = await refused({
    _headers: "x-first: no path\n/a\n/b\n  x-empty:\n/*/*\n  x: y\n",
    _redirects:
      "# For a single page\n/* /index.html 200\nhttps://www.example.com/* /:splat\n/a /b\n/a /c\n/d /e 404\n/f\n",
  });
  expect(both).toMatchObject({ status: 400, code: 100324 });
  expect(both.message.split("\n").map((line) => line.replace(/(?<=[.]) .*/, ""))).toEqual([
    "Invalid _headers configuration:",
    "Line 1: Expected a path before headers",
    "Line 2: No headers specified",
    "Line 4: Invalid header format",
    "Line 5: Only one wildcard is allowed per rule.",
    "Invalid _redirects configuration:",
    "Line 2: Infinite loop detected in this rule.",
    "Line 3: Only relative URLs are allowed.",
    "Line 5: Duplicate rule for path /a.",
    "Line 6: Valid status codes are 200, 301, 302 (default), 303, 307, or 308.",
    "Line 7: Expected exactly 2 or 3 whitespace-separated tokens.",
  ]);
  const dynamic = Array.from({ length: 101 }, (_, index) => `/${index}/* /x`).join("\n");
  expect((await refused({ _redirects: dynamic })).message).toContain("Line 101: Maximum number of dynamic rules");
  // Without HTML handling `/` is not `/index.html`, so this is not a loop.
  await deployWithAssets(test, "site", {
    assets: { jwt, config: { html_handling: "none", _redirects: "/ /index.html 200" } },
  });
  expect((await test.ask("site")).text).toBe("home");
});

it("serves by html_handling, not_found_handling, run_worker_first, base_path, _headers and _redirects", async () => {
  const test = await account();
  const files = {
    "/index.html": "home",
    "/about.html": "about",
    "/docs/index.html": "docs",
    "/404.html": "lost",
    "/a.txt": "A",
  };
  const jwt = await uploaded(test, files);
  const code = codeOf({ fetch: `return new Response("script " + url.pathname);` });
  const ask = async (at: string) => {
    const { status, text, headers } = await test.ask("site", at);
    return headers.location === undefined ? `${status} ${text}` : `${status} to ${headers.location}`;
  };
  const serving = (config: object, script: Parts = {}) =>
    deployWithAssets(test, "site", { ...script, assets: { jwt, config } });

  await serving({ not_found_handling: "404-page" });
  expect(await Promise.all(["/", "/about", "/about/", "/docs", "/none"].map(ask))).toEqual([
    "200 home",
    "200 about",
    "307 to /about",
    "307 to /docs/",
    "404 lost",
  ]);
  const missing = await test.ask("site", "/none", { "Sec-Fetch-Mode": "navigate" });
  expect(missing.status).toBe(404);
  expect(Object.keys(missing.headers).filter((name) => name.includes("mf-"))).toEqual([]);
  await serving({ html_handling: "force-trailing-slash", not_found_handling: "single-page-application" });
  expect(await Promise.all(["/about", "/about/", "/none"].map(ask))).toEqual([
    "307 to /about/",
    "200 about",
    "200 home",
  ]);
  await serving({}, { code });
  expect(await Promise.all(["/", "/a.txt", "/none"].map(ask))).toEqual(["200 home", "200 A", "200 script /none"]);
  await serving({ run_worker_first: true }, { code });
  expect(await Promise.all(["/", "/a.txt"].map(ask))).toEqual(["200 script /", "200 script /a.txt"]);
  await serving({ run_worker_first: ["/*", "!/a.txt"] }, { code });
  expect(await Promise.all(["/", "/a.txt"].map(ask))).toEqual(["200 script /", "200 A"]);
  await serving({ serve_directly: false }, { code });
  expect(await ask("/a.txt")).toBe("200 script /a.txt");
  await serving({ base_path: "app" }, { code });
  expect(await Promise.all(["/app/a.txt", "/a.txt"].map(ask))).toEqual(["200 A", "200 script /a.txt"]);
  await serving({ _headers: "/a.txt\n  x-a: yes", _redirects: "/from/* /about/:splat 302" });
  expect((await test.ask("site", "/a.txt")).headers["x-a"]).toBe("yes");
  expect(await ask("/from/x")).toBe("302 to /about/x");
});

it("returns a version's settings, and takes _headers and _redirects as modules", async () => {
  const test = await account();
  const jwt = await uploaded(test, SITE);
  await test.ensure("site");
  const module = (name: string, text: string) => ({
    name,
    content_type: "text/plain",
    content_base64: Buffer.from(text).toString("base64"),
  });
  const version = await test.sdk.workers.beta.workers.versions.create("site", {
    account_id: test.id,
    deploy: true,
    compatibility_date: "2026-11-01",
    assets: { jwt, config: { not_found_handling: "404-page", html_handling: "none", run_worker_first: false } },
    modules: [module("_headers", "/a.txt\n  x-a: yes"), module("_redirects", "/old /a.txt")],
  });
  const config = { base_path: "/", not_found_handling: "404-page", html_handling: "none", run_worker_first: false };
  expect(version.assets).toEqual({ config });
  expect(version.main_module).toBeUndefined();
  const read = await test.sdk.workers.beta.workers.versions.get(version.id, {
    account_id: test.id,
    worker_id: "site",
    include: "modules",
  });
  expect(read.assets).toEqual({ config });
  expect(read.modules?.map(({ name }) => name)).toEqual(["_headers", "_redirects"]);
  expect((await test.ask("site", "/a.txt")).headers["x-a"]).toBe("yes");
  expect((await test.ask("site", "/old")).headers.location).toBe("/a.txt");
  const [listed] = (await test.sdk.workers.scripts.list({ account_id: test.id })).result;
  expect(listed).toMatchObject({ has_assets: true, has_modules: false });
});

it("keeps assets if an upload says so, and through changes of secrets and settings", async () => {
  const test = await account();
  await deployWithAssets(test, "site", {
    ...BOUND,
    assets: { jwt: await uploaded(test, SITE), config: { html_handling: "none" } },
  });
  const reads = async () => (await test.ask("site", "/a.txt")).text;
  await deployWithAssets(test, "site", { ...BOUND, keep_assets: true });
  expect(await reads()).toBe("A");
  await test.call("put", "/workers/scripts/site/secrets", { name: "S", text: "s", type: "secret_text" });
  expect(await reads()).toBe("A");
  await deployWithAssets(test, "site", { ...BOUND, keep_assets: true, assets: { config: { base_path: "/app" } } });
  expect((await test.ask("site", "/app/a.txt")).text).toBe("A");
  const script = codeOf({ tag: "no assets" });
  const config = { not_found_handling: "404-page" };
  // The provider sends only settings for `assets` without a directory.
  expect(await deployWithAssets(test, "site", { code: script, assets: { config } })).toMatchObject({
    has_assets: false,
    has_modules: true,
  });
  expect((await test.ask("site", "/app/a.txt")).json()).toMatchObject({ tag: "no assets" });
});

it("refuses a split between versions under different base paths", async () => {
  const test = await account();
  const jwt = await uploaded(test, SITE);
  await deployWithAssets(test, "site", { assets: { jwt } });
  await deployWithAssets(test, "site", { assets: { jwt, config: { base_path: "/app" } } });
  const { result } = await test.sdk.workers.beta.workers.versions.list("site", { account_id: test.id });
  const shares = Object.fromEntries(result.map(({ id }) => [id, 50]));
  expect((await refusal(test.split("site", shares))).message).toContain("base_path");
});

it("gives a Worker's own call to its assets no header of Miniflare, also at the sides of a split", async () => {
  const test = await account();
  const told = `
    const answer = await env.ASSETS.fetch(request);
    const names = [...answer.headers.keys()].filter((name) => name.includes("mf-"));
    return new Response([answer.status, await answer.text(), ...names].join(" "));`;
  const navigate = async (at: string, id = "") =>
    (
      await test.ask("site", at, {
        "Sec-Fetch-Mode": "navigate",
        ...(id && { "Cloudflare-Workers-Version-Overrides": `site="${id}"` }),
      })
    ).text;
  for (const lost of ["lost", "gone"])
    await deployWithAssets(test, "site", {
      ...BOUND,
      code: codeOf({ fetch: told, classes: ["Counter"] }),
      assets: {
        jwt: await uploaded(test, { "/404.html": lost, "/a.txt": "A" }),
        config: { not_found_handling: "404-page", run_worker_first: true },
      },
    });
  expect(await Promise.all(["/none", "/a.txt"].map((at) => navigate(at)))).toEqual(["404 gone", "200 A"]);
  const { result } = await test.sdk.workers.beta.workers.versions.list("site", { account_id: test.id });
  const [b = "", a = ""] = result.map(({ id }) => id);
  await test.split("site", { [a]: 50, [b]: 50 });
  expect([await navigate("/none", a), await navigate("/none", b)]).toEqual(["404 lost", "404 gone"]);
});

it("splits the traffic of a Worker without a script, and with one that has a script", async () => {
  const test = await account();
  await deployWithAssets(test, "site", { assets: { jwt: await uploaded(test, { "/a.txt": "A" }) } });
  await deployWithAssets(test, "site", { assets: { jwt: await uploaded(test, { "/a.txt": "B" }) } });
  await deployWithAssets(test, "site", { code: codeOf({ fetch: "return new Response('C');" }) });
  const { result } = await test.sdk.workers.beta.workers.versions.list("site", { account_id: test.id });
  const [c = "", b = "", a = ""] = result.map(({ id }) => id);
  const seen = async (id: string) =>
    (await test.ask("site", "/a.txt", { "Cloudflare-Workers-Version-Overrides": `site="${id}"` })).text;
  await test.split("site", { [a]: 50, [b]: 50 });
  expect([await seen(a), await seen(b)]).toEqual(["A", "B"]);
  await test.split("site", { [a]: 50, [c]: 50 });
  expect([await seen(a), await seen(c)]).toEqual(["A", "C"]);
});

it("passes other Workers' calls, cron triggers and exceptions through to a script behind assets", async () => {
  const test = await account();
  const code = `
    import { WorkerEntrypoint } from "cloudflare:workers";
    let fired = "never";
    export default class extends WorkerEntrypoint {
      fetch(request) { if (request.url.endsWith("/throw")) throw new Error("oh"); return new Response(fired); }
      greet(name) { return "hello " + name; }
      scheduled({ cron, scheduledTime }) { fired = cron + " " + new Date(scheduledTime).toISOString(); }
    }`;
  await deployWithAssets(test, "site", { code, assets: { jwt: await uploaded(test, SITE) } });
  await test.deploy("caller", {
    bindings: [{ type: "service", name: "SITE", service: "site" }],
    fetch: `return new Response([await (await env.SITE.fetch("http://site/a.txt")).text(), await env.SITE.greet("you")].join());`,
  });
  expect((await test.ask("caller")).text).toBe("A,hello you");
  expect(await test.ask("site", "/throw")).toMatchObject({ status: 500, text: "error code: 1101\n" });
  await test.call("put", "/workers/scripts/site/schedules", [{ cron: "* * * * *" }]);
  await test.sdk.post("/local/cron", { body: { worker: "site", at: "2026-03-01T10:13:00.000Z" } });
  expect((await test.ask("site", "/none")).text).toBe("* * * * * 2026-03-01T10:13:00.000Z");
});

it("stores a file once, for as long as a version or a session has it, and survives a restart", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  await deployWithAssets(test, "site", { assets: { jwt: await uploaded(test, SITE) } });
  await deployWithAssets(test, "twin", {
    assets: { jwt: await uploaded(test, { "/same.txt": "A", "/own.txt": "own" }) },
  });
  expect(stored(dir)).toBe(4);
  await send(
    test,
    (await openSession(test, { "/abandoned.txt": "abandoned", "/never.txt": "never" })).jwt,
    "abandoned",
  );
  expect(stored(dir)).toBe(5);
  const { etag } = (await test.ask("site", "/a.txt")).headers;
  await test.close();

  const again = await account({ dir });
  expect(await again.ask("site", "/a.txt")).toMatchObject({ text: "A", headers: { etag } });
  await deleteWorker(again, "site");
  // Files that no other version has are deleted; files of an abandoned session may still become a version's.
  expect(stored(dir)).toBe(3);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61 * 60_000 });
  await openSession(again, {});
  expect(stored(dir)).toBe(2);
  expect((await again.ask("twin", "/same.txt")).text).toBe("A");
  await deleteWorker(again, "twin");
  expect(stored(dir)).toBe(0);
  expect(readdirSync(path.join(dir, "assets/sets"))).toEqual([]);
});

it("keeps what is uploaded while unused files are removed, though the same file was unused", async () => {
  const dir = temporaryDirectory();
  const files = new AssetFiles(dir);
  const contents = Array.from({ length: 200 }, (_, index) => Buffer.from(`${index}`));
  const there = () => Promise.resolve(readdirSync(path.join(dir, "files")).length);
  expect(await files.keep(contents, there)).toBe(contents.length);
  // All are unused now.
  const swept = files.sweep(new Set());
  const arrived = files.keep(contents, async () => {
    await swept;
    return there();
  });
  expect(await arrived).toBe(contents.length);
});

it.runIf(process.platform === "linux").each([
  { what: "of a Worker that is there", before: { "/index.html": "one", "/old.txt": "old" } },
  { what: "of a Worker without any", before: undefined },
])("serves the files of a deployment during which workerd crashed, $what", async ({ before }) => {
  const test = await account();
  vi.spyOn(console, "error").mockReturnValue();
  onTestFinished(() => void vi.restoreAllMocks());
  await test.deploy("other", { tag: "other" });
  if (before !== undefined)
    await deployWithAssets(test, "site", { ...BOUND, assets: { jwt: await uploaded(test, before) } });
  const jwt = await uploaded(test, { "/index.html": "two", "/new.txt": "new" });
  const serving = await servingAlone();
  const { begun } = Generation.prototype;
  vi.spyOn(Generation.prototype, "begun").mockImplementationOnce(async function (this: Generation) {
    await begun.call(this);
    process.kill(serving, "SIGKILL");
    // This one waits until another workerd runs what ran before.
    await expect.poll(async () => (await test.ask("other")).status).toBe(200);
    await expect.poll(() => workerds()).not.toContain(serving);
  });
  await deployWithAssets(test, "site", { ...BOUND, assets: { jwt } });
  const texts = async () => [(await test.ask("site")).text, (await test.ask("site", "/new.txt")).text];
  expect(await texts()).toEqual(["two", "new"]);
  process.kill(await servingAlone(), "SIGKILL");
  expect(await texts()).toEqual(["two", "new"]);
});

it("makes the folders of one workerd and removes those of another, one after the other", async () => {
  const dir = temporaryDirectory();
  const assets = new AssetFiles(dir);
  const names = await assets.keep(
    Array.from({ length: 200 }, (_, n) => Buffer.from(String(n))),
    async (all) => all,
  );
  const contents = () => names.map((name, n) => [`/${n}.txt`, name] as const);
  const setOf = (manifest: string) => [{ service: "site", manifest, config: { basePath: "/" } }];
  for (const manifest of ["one", "two", "three"])
    await Promise.all([
      assets.layOut(setOf(manifest), contents),
      assets.layOut(setOf("before"), contents),
      assets.prune(setOf("before")),
      assets.layOut(setOf(manifest), contents),
    ]);
  expect(readdirSync(assets.folderOf("site"))).toHaveLength(200);
});

it("takes a directory from the program's WorkerVersion, which a changed file replaces", async () => {
  const test = await account();
  await test.ensure("site");
  const folder = temporaryDirectory();
  mkdirSync(path.join(folder, "public/deep"), { recursive: true });
  writeFileSync(path.join(folder, "public/index.html"), "home");
  writeFileSync(path.join(folder, "public/deep/a.txt"), "A");
  const kind = kindOf("cloudflare:index/workerVersion:WorkerVersion");
  const context = { api: new Api({ baseUrl: test.running.apiUrl, token: test.running.token }), folder };
  const assets = { directory: "public", config: { notFoundHandling: "single-page-application" } };
  const { inputs } = check(kind, { accountId: test.id, workerId: "site", deploy: true, assets });
  const { id, state } = await kind.create(context, inputs);
  expect((await test.ask("site", "/deep/a.txt")).text).toBe("A");
  expect((await test.ask("site", "/elsewhere")).text).toBe("home");
  expect(state.assets).toEqual({ ...assets, assetManifestSha256: expect.stringMatching(/^[0-9a-f]{64}$/) });

  const read = (await kind.read(context, id, state)) ?? {};
  const changed = () => difference(kind, { inputs, state: read }, inputs, { folder, ignore: ["deploy"] }).replacing;
  expect(changed()).toEqual([]);
  writeFileSync(path.join(folder, "public/deep/a.txt"), "another A");
  expect(changed()).toEqual(["assets"]);
  await kind.create(context, inputs);
  expect((await test.ask("site", "/deep/a.txt")).text).toBe("another A");
  expect(() => kind.resolve?.({ ...inputs, assets: { directory: "nowhere" } }, folder)).toThrow(
    /directory nowhere cannot be read/,
  );
});
