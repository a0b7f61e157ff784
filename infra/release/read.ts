/** Reads a built release and checks that it is whole: the program deploys these bytes and no others. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { issueLines } from "../common/issues.ts";
import { unknownPaths } from "../common/unknown.ts";
import { UserError } from "../common/user-error.ts";
import { digestOf, FORMAT, MANIFEST, Manifest, releaseDigest } from "./manifest.ts";

export interface Release extends Manifest {
  /** The release's folder. */
  readonly dir: string;
}

/** Why there is no release to deploy. */
export class ReleaseUnusable extends UserError {
  override readonly name = "ReleaseUnusable";
}

/**
 * The release in `dir`.
 * @throws ReleaseUnusable when there is none, its manifest is not one, or it or a file is not what it was when the release was built.
 */
export function readRelease(dir: string): Release {
  return { ...checkRelease(dir, (name) => readIn(dir, name)), dir };
}

/**
 * The manifest of the release whose files `read` gives, by their names. `where` is for people.
 * @throws ReleaseUnusable as `readRelease`.
 */
export function checkRelease(where: string, read: (name: string) => Uint8Array | undefined): Manifest {
  const { json, manifest } = parseManifest(where, read(MANIFEST));
  const files = [
    ...manifest.modules.map(({ name, digest }) => [name, digest] as const),
    ...Object.entries(manifest.attached ?? {}),
  ];
  for (const [name, said] of files) {
    const contents = read(name);
    const found = contents && digestOf(contents);
    if (found === said) continue;
    const is = found === undefined ? "is missing" : `has sha256 ${found}`;
    throw notWhole(where, `${name} ${is}, its manifest says ${said}`);
  }
  const said = manifest.digest;
  const digest = releaseDigest(json);
  if (digest !== said)
    throw notWhole(where, `${MANIFEST} has been changed: its digest is ${digest}, and it says ${said}`);
  return manifest;
}

/** A file of the folder; undefined where it cannot be read. */
export function readIn(dir: string, name: string): Uint8Array | undefined {
  try {
    return readFileSync(join(dir, name));
  } catch {
    return undefined;
  }
}

const notWhole = (dir: string, what: string): ReleaseUnusable =>
  new ReleaseUnusable(
    `The release in ${dir} is not whole: ${what}. Build it again (\`npm run build\`), or fetch the artifact again.`,
  );

const AS_BUILT = "Deploy it with the checkout that it was built from.";

/** A manifest whose other fields nobody knows here. */
const Newer = v.object({ format: v.pipe(v.number(), v.minValue(FORMAT + 1)) });

const Json = v.record(v.string(), v.unknown());

/** The manifest, and what stands in its file. @throws ReleaseUnusable where it is none that this program reads. */
function parseManifest(
  dir: string,
  contents: Uint8Array | undefined,
): { readonly json: v.InferOutput<typeof Json>; readonly manifest: Manifest } {
  if (!contents) {
    throw new ReleaseUnusable(
      `There is no release in ${dir}. Build one with \`npm run build\`, or set \`release\` in the stack's config to its folder.`,
    );
  }
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(contents).toString("utf8"));
  } catch {
    throw new ReleaseUnusable(`${join(dir, MANIFEST)} is not JSON. Build the release again with \`npm run build\`.`);
  }
  const result = v.safeParse(Manifest, json);
  if (result.success) {
    const [unknown] = unknownPaths(json, result.output);
    if (unknown === undefined) return { json: v.parse(Json, json), manifest: result.output };
    throw new ReleaseUnusable(
      `The release in ${dir} says ${unknown}, which this program does not know: a newer version of the template built it. ${AS_BUILT}`,
    );
  }
  const newer = v.safeParse(Newer, json);
  if (newer.success) {
    throw new ReleaseUnusable(
      `The release in ${dir} has format ${newer.output.format}, and this program reads up to ${FORMAT}: a newer version of the template built it. ${AS_BUILT}`,
    );
  }
  const problems = issueLines(result.issues).map((line) => `  ${line}`);
  throw new ReleaseUnusable(
    `${join(dir, MANIFEST)} is not a manifest that this program reads:\n${problems.join("\n")}\nBuild the release again with \`npm run build\`.`,
  );
}
