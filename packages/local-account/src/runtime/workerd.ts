/** The workerd that is installed: where it is, and which compatibility dates it knows. */
import { createRequire } from "node:module";
import * as v from "valibot";

/** Its package has no types. */
const Package = v.object({ default: v.string(), compatibilityDate: v.pipe(v.string(), v.isoDate()) });

const { default: file, compatibilityDate: newest } = v.parse(Package, createRequire(import.meta.url)("workerd"));

/** The path of its program. */
export const WORKERD = file;

/**
 * The compatibility date under which it runs a Worker of this date. It refuses dates after its own, and Cloudflare takes
 * all up to today: those run as of its own, as in `wrangler dev`.
 */
export const knownDate = (date: string): string => (date < newest ? date : newest);
