/** Releases for tests that deploy several: the real one, and others that differ only in a comment. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { buildRelease } from "../infra/release/build.ts";
import { digestOf, MAIN_MODULE, MANIFEST, releaseDigest } from "../infra/release/manifest.ts";
import { ROOT } from "../infra/release/root.ts";
import { type Source, sourceOf } from "../infra/release/source.ts";
import type { WorkerConfig } from "../infra/release/worker-config.ts";
import { shippedConfig } from "./worker-file.ts";

/** The source as it will be once what is being worked on is committed: a protected stack takes no other. */
export const committedSource = (): Source => {
  const source = sourceOf(ROOT);
  return source.commit === null ? source : { ...source, dirty: false };
};

export interface TestRelease {
  /** The value of the `release` setting: a path relative to the project. */
  readonly setting: string;
  readonly digest: string;
}

export interface Releases {
  /** The release of this source. */
  readonly built: TestRelease;
  /** The same code with another digest; `committed`: the time of its commit (ISO 8601). */
  variant(name: string, committed?: string): TestRelease;
  /** The same, with a step more in the tables of its first class, which older code cannot live with. */
  raising(name: string): TestRelease;
  /** One that was built from a history with another last step. */
  later(name: string): TestRelease;
  remove(): void;
}

/** `config`: what they are built from; without it, wrangler.jsonc as it comes. */
export async function makeReleases(config: WorkerConfig = shippedConfig()): Promise<Releases> {
  const dir = mkdtempSync(join(tmpdir(), "durable-stack-releases-"));
  const built = join(dir, "built");
  const { manifest } = await buildRelease(built, committedSource(), config);
  const variant = (name: string, more: Partial<typeof manifest>): TestRelease => {
    const copy = join(dir, name);
    cpSync(built, copy, { recursive: true });
    const main = Buffer.concat([readFileSync(join(copy, MAIN_MODULE)), Buffer.from(`\n// ${name}\n`)]);
    writeFileSync(join(copy, MAIN_MODULE), main);
    const { digest: _, ...content } = manifest;
    const modules = content.modules.map((module) =>
      module.name === MAIN_MODULE ? { ...module, digest: digestOf(main), size: main.length } : module,
    );
    const changed = { ...content, modules, ...more };
    const digest = releaseDigest(changed);
    writeFileSync(join(copy, MANIFEST), JSON.stringify({ ...changed, digest }));
    return { setting: relative(ROOT, copy), digest };
  };
  return {
    built: { setting: relative(ROOT, built), digest: manifest.digest },
    variant: (name, committed) => variant(name, committed === undefined ? {} : { committed }),
    raising(name) {
      const [[className, { steps }] = raise("no class has tables")] = Object.entries(manifest.schemas ?? {});
      const more = [...steps, "f".repeat(steps[0]?.length ?? 0)];
      return variant(name, { schemas: { ...manifest.schemas, [className]: { steps: more, needs: more.length } } });
    },
    later: (name) => variant(name, { migration: { step: "9999-later", history: "f".repeat(16) } }),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

function raise(message: string): never {
  throw new Error(message);
}
