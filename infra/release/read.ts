/** Reads a built release and checks that it is whole: the program deploys these bytes and no others. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import * as v from "valibot";
import { issueLines } from "../stack/issues.ts";
import { digestOf, MANIFEST, Manifest, releaseDigest } from "./manifest.ts";

export interface Release extends Manifest {
  /** The release's folder. */
  readonly dir: string;
}

/** Why there is no release to deploy: for people, so that Pulumi shows it without a stack trace. */
export class ReleaseUnusable extends pulumi.RunError {
  override readonly name = "ReleaseUnusable";
}

/**
 * The release in `dir`.
 * @throws ReleaseUnusable when there is none, its manifest is not one, or it or a module is not what it was when the release was built.
 */
export function readRelease(dir: string): Release {
  const manifest = parseManifest(dir);
  for (const { name, digest: said } of manifest.modules) {
    const found = fileDigest(dir, name);
    if (found === said) continue;
    const is = found === undefined ? "is missing" : `has sha256 ${found}`;
    throw notWhole(dir, `${name} ${is}, its manifest says ${said}`);
  }
  const { digest: said, ...content } = manifest;
  const digest = releaseDigest(content);
  if (digest !== said)
    throw notWhole(dir, `${MANIFEST} has been changed: its digest is ${digest}, and it says ${said}`);
  return { ...manifest, dir };
}

function fileDigest(dir: string, name: string): string | undefined {
  try {
    return digestOf(readFileSync(join(dir, name)));
  } catch {
    return undefined;
  }
}

const notWhole = (dir: string, what: string): ReleaseUnusable =>
  new ReleaseUnusable(
    `The release in ${dir} is not whole: ${what}. Build it again (\`npm run build\`), or fetch the artifact again.`,
  );

function parseManifest(dir: string): Manifest {
  let text: string;
  try {
    text = readFileSync(join(dir, MANIFEST), "utf8");
  } catch {
    throw new ReleaseUnusable(
      `There is no release in ${dir}. Build one with \`npm run build\`, or set \`release\` in the stack's config to its folder.`,
    );
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new ReleaseUnusable(`${join(dir, MANIFEST)} is not JSON. Build the release again with \`npm run build\`.`);
  }
  const result = v.safeParse(Manifest, json);
  if (result.success) return result.output;
  const problems = issueLines(result.issues).map((line) => `  ${line}`);
  throw new ReleaseUnusable(
    `${join(dir, MANIFEST)} is not a manifest that this program reads:\n${problems.join("\n")}\nBuild the release again with \`npm run build\`.`,
  );
}
