/**
 * fast-check, with a seed to repeat a run: the gate has one of its own (.ci/run), so that it fails for what a change
 * did. Without PROPERTY_SEED each run tries something else; a failure prints the seed to set.
 */
import fc from "fast-check";
import { inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** For tests of properties; undefined: each run has another. */
    propertySeed: number | undefined;
  }
}

const seed = inject("propertySeed");
if (seed !== undefined) fc.configureGlobal({ seed });

export { fc };
