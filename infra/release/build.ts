/**
 * Builds a release: one bundle and a manifest. Same source, same bytes, on any machine: paths, time and commit never
 * reach the bundle, so its sha256 is the release's identity from the first build to production.
 */
import { join } from "node:path";
import { describe, hashes, isError, lint } from "@durable-stack/class-lifecycle";
import esbuild from "esbuild/package.json" with { type: "json" };
import * as v from "valibot";
import project from "../../package.json" with { type: "json" };
import { patterns } from "../../worker/patterns.ts";
import { lockFindings, ownMigrations } from "../plan/own-migrations.ts";
import { readIfThere } from "../stack/named-file.ts";
import { BuildError } from "./build-error.ts";
import { bundle } from "./bundle.ts";
import { Extras, extrasOf } from "./extras.ts";
import {
  digestOf,
  FORMAT,
  MAIN_MODULE,
  MAIN_TYPE,
  MANIFEST,
  type Manifest,
  releaseDigest,
  SBOM,
  SOURCE_MAP,
} from "./manifest.ts";
import { buildPage } from "./page.ts";
import { RELEASE_DIR, ROOT } from "./root.ts";
import { Lockfile, sbomOf } from "./sbom.ts";
import { schemasOf, undecided } from "./schemas.ts";
import { compressedSize } from "./size.ts";
import { type Source, sourceOf } from "./source.ts";
import { readWorkerConfig } from "./worker-config.ts";
import { writeRelease } from "./write.ts";

export interface Built {
  readonly dir: string;
  readonly manifest: Manifest;
  /** Bytes of all modules together, compressed: what Cloudflare's limit is for. */
  readonly compressed: number;
  /** Bytes of the page's files, which are in the main module. */
  readonly page: number;
}

/** What makes the bytes of a release, and the versions of it. */
const TOOLS = { esbuild: esbuild.version, node: process.versions.node };

/** The packages of the bill of materials. @throws BuildError where npm's file does not say them. */
function lockfile(): v.InferOutput<typeof Lockfile> {
  const file = join(ROOT, "package-lock.json");
  const read = v.safeParse(v.pipe(v.string(), v.parseJson(), Lockfile), readIfThere(file));
  if (read.success) return read.output;
  throw new BuildError(
    `${file} is missing, or not as npm writes it: the release's bill of materials is made from it. Bring it back with \`git checkout -- package-lock.json\`, or make it with \`npm install\`.`,
  );
}

/**
 * Builds `worker/` by `wrangler.jsonc` into `dir`, replacing what is there only once everything has been written.
 * @throws BuildError when the source does not bundle or is larger than Cloudflare takes, or the history has errors.
 */
export async function buildRelease(dir = RELEASE_DIR, source: Source = sourceOf(ROOT)): Promise<Built> {
  const migrations = ownMigrations();
  const problems = [...lint(migrations).filter(isError), ...lockFindings()];
  if (problems.length)
    throw new BuildError(`The history of the classes has errors:\n${problems.map(describe).join("\n")}`);
  const unclear = undecided(patterns).map(({ step, sql }) => `  ${step}: ${sql.split("\n")[0]}`);
  if (unclear.length) throw new BuildError(`${UNDECIDED}\n${unclear.join("\n")}`);
  const page = await buildPage();
  const config = readWorkerConfig();

  const { main, sourceMap, modules: files, exports, inputs } = await bundle(ROOT, config);
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
    ...source,
    tools: TOOLS,
  };
  const digest = releaseDigest(content);
  const sbom = sbomOf({
    project,
    digest,
    inputs: [...inputs, ...page.inputs],
    lockfile: lockfile(),
    tools: TOOLS,
  });
  const attached = { [SOURCE_MAP]: digestOf(sourceMap), [SBOM]: digestOf(sbom) };
  const manifest: Manifest = { ...content, attached, digest };

  writeRelease(
    dir,
    new Map([
      [MAIN_MODULE, main],
      [SOURCE_MAP, sourceMap],
      [SBOM, Buffer.from(sbom)],
      [MANIFEST, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)],
      ...files.map(({ name, contents }) => [name, contents] as const),
    ]),
  );
  return { dir, manifest, compressed, page: page.bytes };
}

const UNDECIDED =
  "These schema steps do not only add tables, indexes or columns. Say in the pattern's schema.ts what older code does with each: breaking(sql) or compatible(sql), of worker/objects/steps.ts.";
