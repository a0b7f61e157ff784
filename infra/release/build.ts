/**
 * Builds a release: one bundle and a manifest. Same source, same bytes, on any machine: paths, time and commit never
 * reach the bundle, so its sha256 is the release's identity from the first build to production.
 */
import { join } from "node:path";
import { describe, isError, lint, type Migration } from "@durable-stack/class-lifecycle";
import esbuild from "esbuild/package.json" with { type: "json" };
import * as v from "valibot";
import project from "../../package.json" with { type: "json" };
import { patterns } from "../../worker/patterns.ts";
import { readIfThere } from "../common/named-file.ts";
import { BuildError } from "./build-error.ts";
import { bundle } from "./bundle.ts";
import { contentOf } from "./content.ts";
import { digestOf, MAIN_MODULE, MANIFEST, type Manifest, releaseDigest, SBOM, SOURCE_MAP, sizeOf } from "./manifest.ts";
import { lockFindings, ownMigrations } from "./own-migrations.ts";
import { buildPage } from "./page.ts";
import { RELEASE_DIR, ROOT } from "./root.ts";
import { Lockfile, sbomOf } from "./sbom.ts";
import { undecided } from "./schemas.ts";
import { checkSize, compressedSize } from "./size.ts";
import { type Source, sourceOf } from "./source.ts";
import { readWorkerConfig } from "./worker-config.ts";
import { writeRelease } from "./write.ts";

export interface Built {
  readonly dir: string;
  readonly manifest: Manifest;
  /** Bytes of all modules together, compressed. */
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

/** The history of the classes. @throws BuildError where it has errors. */
function soundHistory(): readonly Migration[] {
  const migrations = ownMigrations();
  const problems = [...lint(migrations).filter(isError), ...lockFindings()];
  if (problems.length === 0) return migrations;
  throw new BuildError(`The history of the classes has errors:\n${problems.map(describe).join("\n")}`);
}

/** @throws BuildError where a step of a pattern's tables does not say what older code does with it. */
function mustBeDecided(): void {
  const unclear = undecided(patterns).map(({ step, sql }) => `  ${step}: ${sql.split("\n")[0]}`);
  if (unclear.length > 0) throw new BuildError(`${UNDECIDED}\n${unclear.join("\n")}`);
}

const UNDECIDED =
  "These schema steps do not only add tables, indexes or columns. Say in the pattern's schema.ts what older code does with each: breaking(sql) or compatible(sql), of worker/objects/steps.ts.";

/**
 * Builds `worker/` by `config` into `dir`, replacing what is there only once everything has been written.
 * @throws BuildError when the source does not bundle or is larger than Cloudflare takes, or the history has errors.
 */
export async function buildRelease(
  dir = RELEASE_DIR,
  source: Source = sourceOf(ROOT),
  config = readWorkerConfig(),
): Promise<Built> {
  const migrations = soundHistory();
  mustBeDecided();

  const page = await buildPage(patterns);
  const bundled = await bundle(ROOT, config);
  const { main, sourceMap, modules } = bundled;

  const content = { ...contentOf(config, bundled, migrations), ...source, tools: TOOLS };
  checkSize(sizeOf(content));
  const digest = releaseDigest(content);
  const inputs = [...bundled.inputs, ...page.inputs];
  const sbom = sbomOf({ project, digest, inputs, lockfile: lockfile(), tools: TOOLS });
  const attached = { [SOURCE_MAP]: digestOf(sourceMap), [SBOM]: digestOf(sbom) };
  const manifest: Manifest = { ...content, attached, digest };

  writeRelease(
    dir,
    new Map([
      [MAIN_MODULE, main],
      [SOURCE_MAP, sourceMap],
      [SBOM, Buffer.from(sbom)],
      [MANIFEST, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)],
      ...modules.map(({ name, contents }) => [name, contents] as const),
    ]),
  );
  const compressed = compressedSize([main, ...modules.map(({ contents }) => contents)]);
  return { dir, manifest, compressed, page: page.bytes };
}
