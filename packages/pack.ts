/**
 * Prepares a package for publishing. In this repository the packages are plain TypeScript. Node does not run TypeScript
 * from `node_modules`, so a published package is JavaScript with declarations.
 *
 * `prepack` compiles `src/` to `dist/` and points package.json there; `postpack` puts package.json back. npm runs both
 * around `npm pack` and `npm publish`.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import * as v from "valibot";

const folder = process.cwd();
const MANIFEST = join(folder, "package.json");
/** The repository's manifest, kept here while npm packs. */
const KEPT = join(folder, "package.json.kept");
const DIST = join(folder, "dist");

const Places = v.record(v.string(), v.string());
const Manifest = v.looseObject({ exports: Places, bin: v.optional(Places), scripts: v.optional(Places) });

const [step] = process.argv.slice(2);
if (step === "prepack") prepack();
else if (step === "postpack") restore();
else throw new Error(`pack.ts takes prepack or postpack, not ${step}.`);

function prepack(): void {
  restore();
  const manifest = v.parse(Manifest, JSON.parse(readFileSync(MANIFEST, "utf8")));
  rmSync(DIST, { recursive: true, force: true });
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  execFileSync(process.execPath, [tsc, "-p", "tsconfig.pack.json"], { cwd: folder, stdio: "inherit" });
  // Other files (styles, scripts of the account's own Workers) are copied.
  cpSync(join(folder, "src"), DIST, { recursive: true, filter: (file) => !file.endsWith(".ts") });
  const { scripts: _, ...published } = manifest;
  const exports = Object.fromEntries(
    Object.entries(manifest.exports).map(([path, file]) => [path, { types: declared(file), default: built(file) }]),
  );
  const bin = Object.fromEntries(Object.entries(manifest.bin ?? {}).map(([name, file]) => [name, built(file)]));
  renameSync(MANIFEST, KEPT);
  writeFileSync(MANIFEST, `${JSON.stringify({ ...published, exports, ...(manifest.bin && { bin }) }, null, 2)}\n`);
}

/** Restores the manifest, also after a run that was stopped halfway. */
function restore(): void {
  if (existsSync(KEPT)) renameSync(KEPT, MANIFEST);
}

function built(file: string): string {
  return file.replace("./src/", "./dist/").replace(/\.ts$/, ".js");
}

function declared(file: string): string {
  return file.replace("./src/", "./dist/").replace(/\.ts$/, ".d.ts");
}
