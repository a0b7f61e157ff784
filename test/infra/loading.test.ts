/** What a command loads before it does anything: Pulumi's packages alone take a second, which each call would pay. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { beforeAll, expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";

/** Packages that load hundreds of files, whatever is imported of them. */
const HEAVY = ["@pulumi/pulumi", "@pulumi/cloudflare", "cloudflare", "esbuild", "miniflare", "wrangler"];

/** The commands that cannot do without: what they load of these at once. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  access: ["esbuild"],
  build: ["esbuild"],
  dev: ["esbuild", "miniflare", "wrangler"],
  keys: ["cloudflare"],
  page: ["esbuild"],
  rehearse: ["cloudflare", "miniflare"],
  start: ["esbuild", "miniflare"],
};

const COMMANDS = join(ROOT, "infra/commands");
/** The commands, as package.json runs them. */
const scripts = readFileSync(join(ROOT, "package.json"), "utf8");
const names = readdirSync(COMMANDS)
  .map((file) => basename(file, ".ts"))
  .filter((name) => new RegExp(`infra/run\\.mjs ${name}[" ]`).test(scripts));

/** The packages that each command imports, itself or by its modules, before its first line runs. */
let imported: ReadonlyMap<string, ReadonlySet<string>>;
beforeAll(async () => {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: names.map((name) => join(COMMANDS, `${name}.ts`)),
    outdir: "dist",
    bundle: true,
    // What is imported later is a file of its own.
    splitting: true,
    platform: "node",
    format: "esm",
    external: HEAVY,
    write: false,
    metafile: true,
  });
  const of = (output: string, seen = new Set<string>()): Set<string> => {
    for (const { path, kind } of metafile.outputs[output]?.imports ?? []) {
      if (kind !== "import-statement" || seen.has(path)) continue;
      seen.add(path);
      of(path, seen);
    }
    return seen;
  };
  imported = new Map(names.map((name) => [name, of(`dist/${name}.js`)]));
});

it.each(names)("%s loads no large package that it can do without", (name) => {
  const paths = [...(imported.get(name) ?? [])];
  const heavy = HEAVY.filter((large) => paths.some((path) => path === large || path.startsWith(`${large}/`)));
  expect(heavy).toEqual(NEEDED[name] ?? []);
});
