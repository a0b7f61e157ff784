/** A release has the same modules as `wrangler deploy --dry-run --outdir`, and gives the same answers. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import type { RunningAccount } from "@durable-stack/local-account";
import * as v from "valibot";
import { afterAll, beforeAll, expect, it } from "vitest";
import { toWire } from "../../infra/provider/names.ts";
import { bundle } from "../../infra/release/bundle.ts";
import { Extras, extrasOf } from "../../infra/release/extras.ts";
import { MAIN_MODULE } from "../../infra/release/manifest.ts";
import { ROOT } from "../../infra/release/root.ts";
import { readWorkerConfig } from "../../infra/release/worker-config.ts";
import { extraBindings, versionSettings, workerExtras } from "../../infra/stack/extras.ts";
import { startChecked, TestAccount } from "../../packages/local-account/test/support.ts";
import { wrangler } from "./wrangler.ts";

let dir: string;
let account: RunningAccount;
let test: TestAccount;
beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "wrangler-bundle-"));
  account = await startChecked({ dir: path.join(dir, "account"), port: 0, apiPort: 0 });
  test = new TestAccount(account);
});
afterAll(async () => {
  await test?.close();
  rmSync(dir, { recursive: true, force: true });
});

const WASM = Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0]);

it("text, SQL, data, WebAssembly, rules, define, alias and Node's modules", async () => {
  const folder = path.join(dir, "everything");
  mkdirSync(path.join(folder, "src"), { recursive: true });
  symlinkSync(path.join(ROOT, "node_modules"), path.join(folder, "node_modules"));
  const config = {
    name: "everything",
    main: "src/index.ts",
    compatibility_date: "2026-11-01",
    compatibility_flags: ["nodejs_compat"],
    define: { BUILD: '"one"' },
    alias: { theirs: "./src/ours.ts" },
    rules: [{ type: "Text", globs: ["**/*.md"], fallthrough: true }],
    durable_objects: { bindings: [] },
  };
  const files = {
    "wrangler.json": JSON.stringify(config),
    "src/index.ts": `
      import { Buffer } from "buffer"; import { join } from "path"; import { createHash } from "node:crypto";
      import http from "node:http"; import { inspect } from "util";
      import theirs from "theirs"; import md from "./a.md"; import sql from "./a.sql"; import html from "./a.html";
      import txt from "./a.txt"; import bin from "./a.bin"; import wasm from "./a.wasm"; import other from "./a.wasm?module";
      export class Named { method() { return 1; } }
      export default { fetch: () => Response.json([
        Buffer.from("b").toString("hex"), join("a", "b"), createHash("sha256").update("x").digest("hex").length,
        typeof http.request, inspect({ a: 1 }), theirs, md, sql, html, txt, bin.byteLength,
        wasm instanceof WebAssembly.Module, other instanceof WebAssembly.Module,
        BUILD, process.env.NODE_ENV, navigator.userAgent, typeof setImmediate, new Named().method(),
      ]) };`,
    "src/ours.ts": 'export default "ours";',
    "src/a.md": "md",
    "src/a.sql": "SELECT 1;",
    "src/a.html": "<p>",
    "src/a.txt": "txt",
    "src/a.bin": Uint8Array.of(1, 2, 3),
    "src/a.wasm": WASM,
  };
  for (const [name, contents] of Object.entries(files)) writeFileSync(path.join(folder, name), contents);

  const dry = await wrangler(account, folder, ["deploy", "--dry-run", "--outdir", "out"]);
  expect(dry.code, dry.text).toBe(0);
  const release = await bundle(folder, readWorkerConfig(path.join(folder, "wrangler.json")));
  const theirs = readdirSync(path.join(folder, "out")).filter((name) => !/^(README\.md|index\.js(\.map)?)$/.test(name));
  expect(release.modules.map(({ name }) => name)).toEqual(theirs.toSorted());
  for (const { name, contents } of release.modules)
    expect(Buffer.from(contents)).toEqual(readFileSync(path.join(folder, "out", name)));
  const imports = (code: string) =>
    [...new Set([...code.matchAll(/(?:from|import) ?"([^"]+)"/g)].map(([, name]) => name))].sort();
  const [ours, wranglers] = [
    new TextDecoder().decode(release.main),
    readFileSync(path.join(folder, "out/index.js"), "utf8"),
  ];
  expect(imports(ours)).toEqual(imports(wranglers));
  expect(release.exports.toSorted()).toEqual(["Named", "default"]);

  // Compare the answers: wrangler deploys the project, and the release without bundling it again.
  const project = await wrangler(account, folder, ["deploy"]);
  expect(project.code, project.text).toBe(0);
  const built = path.join(dir, "built");
  mkdirSync(built);
  writeFileSync(path.join(built, MAIN_MODULE), release.main);
  for (const { name, contents } of release.modules) writeFileSync(path.join(built, name), contents);
  const { compatibility_date, compatibility_flags } = config;
  writeFileSync(
    path.join(built, "wrangler.json"),
    JSON.stringify({
      name: "built",
      main: MAIN_MODULE,
      compatibility_date,
      compatibility_flags,
      no_bundle: true,
      rules: config.rules,
    }),
  );
  const deployed = await wrangler(account, built, ["deploy"]);
  expect(deployed.code, deployed.text).toBe(0);
  const answers = await Promise.all(
    ["everything", "built"].map(async (name) => JSON.parse((await test.ask(name)).text)),
  );
  expect(answers[1]).toEqual(answers[0]);
  expect(answers[0].slice(10, 13)).toEqual([3, true, true]);
});

it("takes Node's modules from the packages that wrangler has", () => {
  const { resolve } = createRequire(path.join(ROOT, "node_modules/wrangler/package.json"));
  // `unenv-preset` has no main entry for `require`; the file of its runtime is in the same package.
  for (const name of ["unenv", "@cloudflare/unenv-preset/node/process"])
    expect(resolve(name)).toBe(createRequire(path.join(ROOT, "package.json")).resolve(name));
});

/** Bindings and settings beside code and own classes: every key of the list `deployed` (docs/wrangler-file.md). */
const EXTRAS = {
  vars: { GREETING: "hello", LEVELS: [1, { two: true }] },
  kv_namespaces: [{ binding: "USERS", id: "0123456789abcdef0123456789abcdef" }],
  r2_buckets: [{ binding: "FILES", bucket_name: "files" }],
  d1_databases: [{ binding: "DB", database_id: "3c0f6d5e-0000-4000-8000-000000000000", database_name: "db" }],
  services: [
    { binding: "AUTH", service: "auth", entrypoint: "Admin" },
    { binding: "MAILER", service: "mailer" },
  ],
  queues: { producers: [{ binding: "MAILS", queue: "mails" }] },
  ratelimits: [{ name: "LIMIT", namespace_id: "7", simple: { limit: 2, period: 60 } }],
  placement: { mode: "smart" },
  limits: { cpu_ms: 50, subrequests: 100 },
  logpush: true,
  tail_consumers: [{ service: "auth" }],
  observability: {
    enabled: true,
    head_sampling_rate: 0.5,
    logs: { enabled: true, invocation_logs: false, head_sampling_rate: 0.25 },
    traces: { enabled: true },
  },
};

it("a stack gives its Worker the same bindings and settings as wrangler for the same file", async () => {
  const folder = path.join(dir, "metadata");
  mkdirSync(folder);
  const objects = [{ name: "SEAT", class_name: "Seat", script_name: "auth" }];
  const base = { name: "metadata", main: "index.js", compatibility_date: "2026-11-01" };
  const config = { ...base, durable_objects: { bindings: objects }, ...EXTRAS };
  writeFileSync(path.join(folder, "wrangler.json"), JSON.stringify(config));
  writeFileSync(path.join(folder, "index.js"), "export default { fetch: () => new Response() };");
  const dry = await wrangler(account, folder, ["deploy", "--dry-run", "--outfile", "upload"]);
  expect(dry.code, dry.text).toBe(0);
  const { keep_bindings: _, ...theirs } = metadataOf(readFileSync(path.join(folder, "upload")));

  const file = readWorkerConfig(path.join(folder, "wrangler.json"));
  const others = objects.map(({ name, class_name, script_name }) => ({
    binding: name,
    className: class_name,
    scriptName: script_name,
  }));
  const release = { extras: v.parse(Extras, extrasOf(file, others)) };
  const own = {
    regions: [],
    vars: {},
    bind: { USERS: config.kv_namespaces[0]?.id ?? "", FILES: "files", DB: config.d1_databases[0]?.database_id ?? "" },
  };
  const ours = toWire({ ...versionSettings(release), ...workerExtras(release) });
  const bindings = extraBindings(release, own).map((binding) => toWire({ ...binding }));
  const byName = (list: readonly Readonly<Record<string, unknown>>[]) =>
    [...list].sort((a, b) => String(a.name).localeCompare(String(b.name)));
  expect(
    byName(bindings.map((one) => (one.type === "json" ? { ...one, json: JSON.parse(String(one.json)) } : one))),
  ).toEqual(byName(theirs.bindings));
  const { main_module, compatibility_date, compatibility_flags, bindings: __, ...settings } = theirs;
  // The provider calls a tail consumer's Worker `name`, like the API's newer endpoint; wrangler's older one, `service`.
  const { tail_consumers, ...rest } = settings;
  expect(ours).toEqual({ ...rest, tail_consumers: [{ name: "auth" }] });
  expect(tail_consumers).toEqual([{ service: "auth" }]);
});

/** The first part of the form that wrangler would upload. */
function metadataOf(form: Buffer) {
  const [, json = ""] = /name="metadata"\r?\n\r?\n(.+?)\r?\n--/s.exec(form.toString()) ?? [];
  return v.parse(v.looseObject({ bindings: v.array(v.looseObject({ name: v.string() })) }), JSON.parse(json));
}
