/** The Workers that `npm run bench:http` runs, each as one module. */
import { join } from "node:path";
import { type BuildResult, build } from "esbuild";
import { ROOT } from "../../../infra/release/root.ts";
import { patterns } from "../../../worker/patterns.ts";

/** The Worker of the project, as it is released. */
export const OURS = 'export * from "../worker/index.ts"; export { default } from "../worker/index.ts";';

/** A Worker of Hono, with a class for each of the project's that does nothing, so that workerd has as much to set up. */
export const HONO = [
  'import { DurableObject } from "cloudflare:workers";',
  'import { bareOf } from "./bench/worker/bare.ts";',
  ...patterns.map((facts) => `export class ${facts.class} extends DurableObject {}`),
  "export default bareOf([]);",
].join("\n");

/** The bare Worker: the same objects, with nothing in front of them. `folders`: the patterns with a bare app. */
export const bareEntry = (folders: readonly string[]) =>
  [
    'import { bareOf } from "./bench/worker/bare.ts";',
    'export * from "../worker/index.ts";',
    ...folders.map((folder, i) => `import { bare as bare${i} } from "./${folder}/worker/bare.ts";`),
    `export default bareOf([${folders.map((_, i) => `bare${i}`).join(", ")}]);`,
  ].join("\n");

/** A module's code and what is in it. */
export async function bundle(contents: string, minify = true): Promise<{ code: string; parts: Parts }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: join(ROOT, "test"), loader: "ts" },
    bundle: true,
    minify,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    logLevel: "silent",
  });
  return { code: outputFiles[0]?.text ?? "", parts: partsOf(metafile) };
}

/** Bytes by package or file, the largest first. */
export type Parts = readonly (readonly [name: string, bytes: number])[];

function partsOf({ outputs }: NonNullable<BuildResult["metafile"]>): Parts {
  const parts = new Map<string, number>();
  for (const { inputs } of Object.values(outputs)) {
    for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
      const name = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? file;
      parts.set(name, (parts.get(name) ?? 0) + bytesInOutput);
    }
  }
  return [...parts].sort(([, a], [, b]) => b - a);
}
