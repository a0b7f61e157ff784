/**
 * Builds a release: one bundle and a manifest. Same source, same bytes, on any machine: paths, time and commit never
 * reach the bundle, so its sha256 is the release's identity from the first build to production.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, hashes, isError, lint } from "@durable-stack/class-lifecycle";
import { build } from "esbuild";
import { migrations } from "../migrations.ts";
import { digestOf, MAIN_MODULE, MANIFEST, type Manifest } from "./manifest.ts";
import { buildPage } from "./page.ts";
import { ROOT } from "./root.ts";
import { readWorkerConfig } from "./worker-config.ts";

/** Where a release goes when nobody says otherwise. */
const RELEASE_DIR = join(ROOT, "dist/release");

export interface Built {
  readonly dir: string;
  readonly manifest: Manifest;
}

/**
 * Builds `worker/` by `wrangler.jsonc` into `dir`, replacing what is there only once everything has been written.
 * @throws Error when the source does not bundle, or the history has errors.
 */
export async function buildRelease(dir = RELEASE_DIR): Promise<Built> {
  const problems = lint(migrations).filter(isError);
  if (problems.length) throw new Error(`infra/migrations.ts has errors:\n${problems.map(describe).join("\n")}`);
  await buildPage();
  const config = readWorkerConfig();

  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [config.main],
    outfile: join(dir, MAIN_MODULE),
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    sourcemap: "linked",
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    legalComments: "none",
    logLevel: "silent",
  });
  const bundle = outputFiles.find(({ path }) => path.endsWith(MAIN_MODULE));
  const output = Object.values(metafile.outputs).find(({ entryPoint }) => entryPoint !== undefined);
  if (!bundle || !output) throw new Error("esbuild made no main module: is `main` in wrangler.jsonc a module Worker?");

  const last = migrations.at(-1);
  const manifest: Manifest = {
    format: 1,
    digest: digestOf(bundle.contents),
    size: bundle.contents.byteLength,
    classes: output.exports.filter((name) => name !== "default").sort(),
    bindings: config.durable_objects.bindings
      .filter(({ script_name }) => script_name === undefined)
      .map(({ name, class_name }) => ({ binding: name, className: class_name })),
    compatibilityDate: config.compatibility_date,
    compatibilityFlags: config.compatibility_flags,
    migration: { step: last?.name ?? "", history: hashes(migrations).at(-1) ?? "" },
    ...sourceCommit(),
  };

  const next = `${dir}.next`;
  rmSync(next, { recursive: true, force: true });
  mkdirSync(next, { recursive: true });
  for (const { path, contents } of outputFiles) writeFileSync(join(next, relative(dir, path)), contents);
  writeFileSync(join(next, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
  rmSync(dir, { recursive: true, force: true });
  renameSync(next, dir);
  return { dir, manifest };
}

/** The commit that is checked out, marked when the files differ from it, and its time; null where git or a commit is missing. */
function sourceCommit(): Pick<Manifest, "commit" | "committed"> {
  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    const [hash, seconds] = git("log", "-1", "--format=%H %ct").split(" ");
    return {
      commit: `${hash}${git("status", "--porcelain") ? "-dirty" : ""}`,
      committed: new Date(Number(seconds) * 1_000).toISOString(),
    };
  } catch {
    return { commit: null, committed: null };
  }
}
