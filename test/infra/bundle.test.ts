/** The bundle: files as modules, and errors with a fix. test/wrangler compares it with wrangler's. */
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { getNodeCompat } from "miniflare";
import { describe, expect, it } from "vitest";
import { type BundleConfig, bundle } from "../../infra/release/bundle.ts";
import { nodeMode } from "../../infra/release/node-compat.ts";
import { ROOT } from "../../infra/release/root.ts";
import { scratch } from "../scratch.ts";

const CONFIG: BundleConfig = {
  main: "index.ts",
  compatibility_date: "2026-11-01",
  compatibility_flags: [],
  define: {},
  alias: {},
  rules: [],
  preserve_file_names: false,
  minify: false,
  keep_names: false,
};

const dir = scratch();

async function built(files: Readonly<Record<string, string>>, config: Partial<BundleConfig> = {}) {
  const root = mkdtempSync(join(dir, "project-"));
  symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return bundle(root, { ...CONFIG, ...config });
}

describe("modules beside the main one", () => {
  it("are the imported files, once each, and the same from every folder", async () => {
    const files = {
      "index.ts": 'import a from "./a.sql"; import b from "./b/a.sql"; import "./more.ts"; export default { a, b };',
      "more.ts": 'import a from "./a.sql"; console.log(a);',
      "a.sql": "SELECT 1",
      "b/a.sql": "SELECT 2",
    };
    const [one, two] = [await built(files), await built(files)];
    expect(one.modules.map(({ contentType }) => contentType)).toEqual(["text/plain", "text/plain"]);
    expect(two).toEqual(one);
  });
});

describe("errors", () => {
  const message = (files: Readonly<Record<string, string>>, config: Partial<BundleConfig> = {}) =>
    built(files, config).then(
      () => "none",
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );

  it("name file, line and fix, all at once, without a stack trace", async () => {
    const files = {
      "index.ts": 'import path from "path";\nimport "./gone.ts";\nexport default { path };',
    };
    // At this date Node's modules needed a flag.
    const text = await message(files, { compatibility_date: "2026-01-01" });
    expect(text).toMatch(/^The Worker does not build:\n {2}index\.ts:1: .*"path".*add "nodejs_compat"/);
    expect(text).toContain('index.ts:2: Could not resolve "./gone.ts".');
    expect(text).not.toContain(" at ");
  });

  it("name a missing file that a rule includes, a rule hidden by another, and an alias to nothing", async () => {
    const sql = 'import a from "./a.sql"; export default { a };';
    expect(await message({ "index.ts": sql })).toMatch(
      /index\.ts:1: Could not read "\.\/a\.sql", which is a Text module/,
    );
    const rules = [{ type: "Text" as const, globs: ["**/*.md"] }];
    expect(await message({ "index.ts": sql, "a.sql": "" }, { rules })).toMatch(/Add "fallthrough": true/);
    const alias = { other: "./nowhere.ts" };
    expect(await message({ "index.ts": 'import "other"; export default {};' }, { alias })).toContain("alias other");
    expect(await message({ "index.ts": "addEventListener('fetch', () => {});" })).toContain("no default export");
  });
});

it("includes the same parts of Node as wrangler for the same date and flags", () => {
  const modes = { full: "v2", imports: "v1", "async-storage": "als", none: null };
  for (const date of ["2022-01-01", "2024-09-22", "2024-09-23", "2026-08-03", "2026-08-04", "2026-11-01"]) {
    for (const flags of [
      [],
      ["nodejs_compat"],
      ["nodejs_als"],
      ["nodejs_compat", "no_nodejs_compat_v2"],
      ["no_nodejs_compat"],
      ["nodejs_compat_v2"],
    ]) {
      expect([date, flags, modes[nodeMode(date, flags)]]).toEqual([date, flags, getNodeCompat(date, flags).mode]);
    }
  }
});
