/** The manifest of a release: what the program needs to know of a built Worker. Written once by the build, promoted unchanged. */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { Extras } from "./extras.ts";

/** File names inside a release folder. */
export const MAIN_MODULE = "index.js";
export const MANIFEST = "manifest.json";

const Digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "must be a sha256 in lower-case hex"));

const SideModule = v.object({
  /** Its name, and its path in the release's folder. */
  name: v.pipe(v.string(), v.regex(/^(?!\/)(?!(.*\/)?\.\.?(\/|$)).+$/, "must stay inside the release's folder")),
  contentType: v.string(),
  digest: Digest,
  size: v.number(),
});
export type SideModule = v.InferOutput<typeof SideModule>;

export const Manifest = v.object({
  /**
   * 3 for a release with extras, 2 for one with modules besides the main one, else 1. Raised when the meaning of a field
   * changes: an older program refuses a newer manifest.
   */
  format: v.picklist([1, 2, 3]),
  /** What `releaseDigest` makes of the modules, in hex. */
  digest: Digest,
  /** Bytes of the main module. */
  size: v.number(),
  /** Modules that the main one imports: text, data, WebAssembly. */
  modules: v.optional(v.array(SideModule)),
  /** Durable Object classes that the main module exports, from esbuild's metafile. */
  classes: v.array(v.string()),
  /** The Worker's bindings to its own classes. */
  bindings: v.array(v.object({ binding: v.string(), className: v.string() })),
  compatibilityDate: v.string(),
  compatibilityFlags: v.array(v.string()),
  /** Bindings and settings that wrangler.jsonc says besides. */
  extras: v.optional(Extras),
  /** The last step of infra/migrations.ts when the release was built, and the hash of the history up to it. */
  migration: v.object({ step: v.string(), history: v.string() }),
  /** The commit of the source; ends in "-dirty" when files were changed since, null outside a git checkout. */
  commit: v.nullable(v.string()),
  /** When that commit was made, in ISO 8601, UTC; null outside a git checkout. What is built of changed files is as old. */
  committed: v.optional(v.nullable(v.pipe(v.string(), v.isoTimestamp())), null),
});
export type Manifest = v.InferOutput<typeof Manifest>;

/** sha256 in hex: the identity of a release. */
export const digestOf = (content: Uint8Array | string): string => createHash("sha256").update(content).digest("hex");

/**
 * The digest of a release: of the main module alone (`sha256sum dist/release/index.js`), or, where there are others,
 * of the lines `<sha256>  <name>` of all, in order of their names, as `sha256sum` prints them.
 */
export function releaseDigest(main: string, modules: readonly Pick<SideModule, "name" | "digest">[]): string {
  if (modules.length === 0) return main;
  const all = [{ name: MAIN_MODULE, digest: main }, ...modules].sort((a, b) => (a.name < b.name ? -1 : 1));
  return digestOf(all.map(({ name, digest }) => `${digest}  ${name}\n`).join(""));
}

/** How a digest is written where people read it. */
export const shortDigest = (digest: string): string => digest.slice(0, 12);
