/**
 * Builds a release: one bundle and a manifest. Same source, same bytes, on any machine: paths, time and commit never
 * reach the bundle, so its sha256 is the release's identity from the first build to production.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, hashes, isError, lint } from "@durable-stack/class-lifecycle";
import * as v from "valibot";
import { patterns } from "../../worker/patterns.ts";
import { migrations } from "../migrations.ts";
import { BuildError } from "./build-error.ts";
import { bundle } from "./bundle.ts";
import { Extras, extrasOf } from "./extras.ts";
import { digestOf, FORMAT, MAIN_MODULE, MAIN_TYPE, MANIFEST, type Manifest, releaseDigest } from "./manifest.ts";
import { buildPage } from "./page.ts";
import { RELEASE_DIR, ROOT } from "./root.ts";
import { schemasOf, undecided } from "./schemas.ts";
import { compressedSize } from "./size.ts";
import { readWorkerConfig } from "./worker-config.ts";

export interface Built {
  readonly dir: string;
  readonly manifest: Manifest;
  /** Bytes of all modules together, compressed: what Cloudflare's limit is for. */
  readonly compressed: number;
  /** Bytes of the page's files, which are in the main module. */
  readonly page: number;
}

/**
 * Builds `worker/` by `wrangler.jsonc` into `dir`, replacing what is there only once everything has been written.
 * @throws BuildError when the source does not bundle or is larger than Cloudflare takes, or the history has errors.
 */
export async function buildRelease(dir = RELEASE_DIR): Promise<Built> {
  const problems = lint(migrations).filter(isError);
  if (problems.length) throw new BuildError(`infra/migrations.ts has errors:\n${problems.map(describe).join("\n")}`);
  const unclear = undecided(patterns).map(({ step, sql }) => `  ${step}: ${sql.split("\n")[0]}`);
  if (unclear.length) throw new BuildError(`${UNDECIDED}\n${unclear.join("\n")}`);
  const page = await buildPage();
  const config = readWorkerConfig();

  const { main, sourceMap, modules: files, exports } = await bundle(ROOT, config);
  const compressed = compressedSize([main, ...files.map(({ contents }) => contents)]);
  const modules = [{ name: MAIN_MODULE, contentType: MAIN_TYPE, contents: main }, ...files].map(
    ({ name, contentType, contents }) => ({
      name,
      contentType,
      digest: digestOf(contents),
      size: contents.byteLength,
    }),
  );

  const last = migrations.at(-1);
  const bound = config.durable_objects.bindings.map(({ name, class_name, script_name }) => ({
    binding: name,
    className: class_name,
    scriptName: script_name,
  }));
  const extras = extrasOf(
    config,
    bound.flatMap(({ scriptName, ...rest }) => (scriptName === undefined ? [] : [{ ...rest, scriptName }])),
  );
  const classes = exports.filter((name) => name !== "default").sort();
  const content: Omit<Manifest, "digest"> = {
    format: FORMAT,
    modules,
    classes,
    bindings: bound.flatMap(({ scriptName, ...own }) => (scriptName === undefined ? [own] : [])),
    compatibilityDate: config.compatibility_date,
    compatibilityFlags: config.compatibility_flags,
    ...(extras && { extras: v.parse(Extras, extras) }),
    migration: { step: last?.name ?? "", history: hashes(migrations).at(-1) ?? "" },
    schemas: schemasOf(patterns, classes),
    ...sourceCommit(),
  };
  const manifest: Manifest = { ...content, digest: releaseDigest(content) };

  const next = `${dir}.next`;
  rmSync(next, { recursive: true, force: true });
  mkdirSync(next, { recursive: true });
  const written = [
    { name: MAIN_MODULE, contents: main },
    { name: `${MAIN_MODULE}.map`, contents: sourceMap },
    ...files,
  ];
  for (const { name, contents } of written) {
    mkdirSync(dirname(join(next, name)), { recursive: true });
    writeFileSync(join(next, name), contents);
  }
  writeFileSync(join(next, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
  rmSync(dir, { recursive: true, force: true });
  renameSync(next, dir);
  return { dir, manifest, compressed, page };
}

const UNDECIDED =
  "These schema steps do not only add tables, indexes or columns. Say in the pattern's schema.ts what older code does with each: breaking(sql) or compatible(sql), of worker/objects/steps.ts.";

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
