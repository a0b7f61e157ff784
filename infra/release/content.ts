/** What a manifest says of a bundle: its modules, and all that decides how they are deployed. Pure. */
import { hashes, type Migration } from "@durable-stack/class-lifecycle";
import { patterns } from "../../worker/patterns.ts";
import type { Bundle } from "./bundle.ts";
import { configuredBy } from "./configured.ts";
import { digestOf, FORMAT, MAIN_MODULE, MAIN_TYPE, type Manifest } from "./manifest.ts";
import { schemasOf } from "./schemas.ts";
import type { WorkerConfig } from "./worker-config.ts";

/** A manifest without its digest, and without where the release comes from and what made it. */
export type Content = Omit<Manifest, "digest" | "commit" | "committed" | "dirty" | "tools" | "attached">;

/** The content of the release that has this bundle, by this wrangler.jsonc and this history. */
export function contentOf(config: WorkerConfig, bundle: Bundle, migrations: readonly Migration[]): Content {
  const modules = [{ name: MAIN_MODULE, contentType: MAIN_TYPE, contents: bundle.main }, ...bundle.modules].map(
    ({ name, contentType, contents }) => ({
      name,
      contentType,
      digest: digestOf(contents),
      size: contents.byteLength,
    }),
  );
  const classes = bundle.exports.filter((name) => name !== "default").sort();
  return {
    format: FORMAT,
    modules,
    classes,
    ...configuredBy(config),
    migration: { step: migrations.at(-1)?.name ?? "", history: hashes(migrations).at(-1) ?? "" },
    schemas: schemasOf(patterns, classes),
  };
}
