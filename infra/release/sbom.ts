/**
 * The software bill of materials of a release, in CycloneDX 1.6 JSON (cyclonedx.org/docs/1.6/json): the npm packages
 * whose code is in the bundle, as package-lock.json has them, and the tools that made it. Pure; no time and no random
 * number is in it, so the same source makes the same bytes.
 */
import * as v from "valibot";

const Locked = v.object({
  version: v.optional(v.string()),
  license: v.optional(v.string()),
  integrity: v.optional(v.string()),
});
/** As much of package-lock.json as is read. */
export const Lockfile = v.object({ packages: v.record(v.string(), Locked) });
export type Lockfile = v.InferOutput<typeof Lockfile>;

export interface Bill {
  readonly project: { readonly name: string; readonly version: string };
  /** The release's digest. */
  readonly digest: string;
  /** The files that are in the bundle, as esbuild's metafile names them. */
  readonly inputs: readonly string[];
  readonly lockfile: Lockfile;
  /** Versions by name. */
  readonly tools: Readonly<Record<string, string>>;
}

/** The bill as JSON text. @throws Error where a package of the bundle is not in the lock file. */
export function sbomOf({ project, digest, inputs, lockfile, tools }: Bill): string {
  const paths = [...new Set(inputs.flatMap((input) => packagePath(input) ?? []))].sort();
  const components = paths.map((path) => {
    const locked = lockfile.packages[path];
    if (locked?.version === undefined) {
      throw new Error(`The bundle has code of ${path}, which package-lock.json does not have. Run npm install.`);
    }
    return component(path, locked.version, locked);
  });
  const main = `${project.name}@${project.version}`;
  const bill = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      lifecycles: [{ phase: "build" }],
      tools: {
        components: Object.entries(tools).map(([name, version]) => ({ type: "application", name, version })),
      },
      component: {
        type: "application",
        "bom-ref": main,
        name: project.name,
        version: project.version,
        hashes: [{ alg: "SHA-256", content: digest }],
      },
    },
    components,
    dependencies: [{ ref: main, dependsOn: components.map((one) => one["bom-ref"]) }],
  };
  return `${JSON.stringify(bill, null, 2)}\n`;
}

/** The package that a file is of, as package-lock.json names it; undefined: none, so the project's own. */
function packagePath(file: string): string | undefined {
  const [path] =
    /(?:node_modules\/(?:@[^/]+\/)?[^/]+\/)+/.exec(file.slice(Math.max(0, file.indexOf("node_modules/")))) ?? [];
  return path?.slice(0, -1);
}

function component(path: string, version: string, { license, integrity }: v.InferOutput<typeof Locked>) {
  const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
  const purl = `pkg:npm/${name.replace(/^@/, "%40")}@${version}`;
  const sha512 = /^sha512-(\S+)/.exec(integrity ?? "")?.[1];
  return {
    type: "library",
    "bom-ref": purl,
    name,
    version,
    ...(sha512 !== undefined && {
      hashes: [{ alg: "SHA-512", content: Buffer.from(sha512, "base64").toString("hex") }],
    }),
    // An expression of SPDX, or one id: a list may hold only one of them.
    ...(license !== undefined && {
      licenses: / (OR|AND|WITH) /.test(license) ? [{ expression: license }] : [{ license: { id: license } }],
    }),
    purl,
  };
}
