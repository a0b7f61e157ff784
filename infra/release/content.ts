/** What a manifest says of a bundle: its modules, and all that decides how they are deployed. Pure. */
import { hashes, type Migration } from "@durable-stack/class-lifecycle";
import * as v from "valibot";
import { patterns } from "../../worker/patterns.ts";
import type { Bundle } from "./bundle.ts";
import { Extras, extrasOf } from "./extras.ts";
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
  const bound = config.durable_objects.bindings.map(({ name, class_name, script_name }) => ({
    binding: name,
    className: class_name,
    scriptName: script_name,
  }));
  const extras = extrasOf(
    config,
    bound.flatMap(({ scriptName, ...rest }) => (scriptName === undefined ? [] : [{ ...rest, scriptName }])),
  );
  const classes = bundle.exports.filter((name) => name !== "default").sort();
  return {
    format: FORMAT,
    modules,
    classes,
    bindings: bound.flatMap(({ scriptName, ...own }) => (scriptName === undefined ? [own] : [])),
    compatibilityDate: config.compatibility_date,
    compatibilityFlags: config.compatibility_flags,
    ...(extras && { extras: v.parse(Extras, extras) }),
    migration: { step: migrations.at(-1)?.name ?? "", history: hashes(migrations).at(-1) ?? "" },
    schemas: schemasOf(patterns, classes),
  };
}
