/** What a manifest says by wrangler.jsonc alone, whatever the code is. Pure. */
import * as v from "valibot";
import { Extras, extrasOf } from "./extras.ts";
import type { Manifest } from "./manifest.ts";
import type { WorkerConfig } from "./worker-config.ts";

/** Bindings and settings of a release. */
export type Configured = Pick<Manifest, "bindings" | "compatibilityDate" | "compatibilityFlags" | "extras">;

/** Those of a release that is built by this wrangler.jsonc. */
export function configuredBy(config: WorkerConfig): Configured {
  const bound = config.durable_objects.bindings.map(({ name, class_name, script_name }) => ({
    binding: name,
    className: class_name,
    scriptName: script_name,
  }));
  const extras = extrasOf(
    config,
    bound.flatMap(({ scriptName, ...rest }) => (scriptName === undefined ? [] : [{ ...rest, scriptName }])),
  );
  return {
    bindings: bound.flatMap(({ scriptName, ...own }) => (scriptName === undefined ? [own] : [])),
    compatibilityDate: config.compatibility_date,
    compatibilityFlags: config.compatibility_flags,
    ...(extras && { extras: v.parse(Extras, extras) }),
  };
}
