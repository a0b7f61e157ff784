/** The manifest of a release: what the program needs to know of a built Worker. Written once by the build, promoted unchanged. */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { Schemas } from "../../contract/release.ts";
import { canonical } from "./canonical.ts";
import { Extras } from "./extras.ts";

/** File names inside a release folder. */
export const MAIN_MODULE = "index.js";
export const MANIFEST = "manifest.json";
export const SOURCE_MAP = `${MAIN_MODULE}.map`;
export const SBOM = "sbom.json";
/** The content type of the main module. */
export const MAIN_TYPE = "application/javascript+module";

export const FORMAT = 5;
/** Since 5 there are `schemas`, `dirty`, `tools` and `attached`, none of which changes the digest of what has none. */
const READABLE = [4, FORMAT] as const;

const Digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "must be a sha256 in lower-case hex"));

/** Whether a name of a file stays inside a folder that it is put into, on any system. */
export function isInside(name: string): boolean {
  return /^[^/\\:\0]+(\/[^/\\:\0]+)*\/?$/.test(name) && !name.split("/").some((part) => part === "." || part === "..");
}

const Module = v.object({
  /** Its name, and its path in the release's folder. */
  name: v.pipe(v.string(), v.check(isInside, "must stay inside the release's folder")),
  contentType: v.string(),
  digest: Digest,
  size: v.number(),
});

export const Manifest = v.object({
  /**
   * Raised when the meaning of a field changes, or the digest's, so that an older program does not misread it. Not for a
   * new field that may be missing: without it the digest is as before, and an older program refuses what it does not know.
   */
  format: v.picklist(READABLE),
  /** What `releaseDigest` makes of the rest, in hex. */
  digest: Digest,
  /** The main module, and after it those that it imports: text, data, WebAssembly, in the order of their names. */
  modules: v.array(Module),
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
  /** The SQL schemas of the classes; undefined in a release from before they were recorded. */
  schemas: v.optional(Schemas),
  /** The commit of the source; null outside a git checkout. In format 4 it ends in "-dirty" where files differ from it. */
  commit: v.nullable(v.string()),
  /** Whether files other than the stacks' settings differ from that commit; undefined outside a git checkout, and in format 4. */
  dirty: v.optional(v.boolean()),
  /** Versions of the tools that built it, by name. */
  tools: v.optional(v.record(v.string(), v.string())),
  /** sha256 of the files that are in the folder and not deployed, by name: the source map and the bill of materials. */
  attached: v.optional(
    v.record(v.pipe(v.string(), v.check(isInside, "must stay inside the release's folder")), Digest),
  ),
  /** When that commit was made, in ISO 8601, UTC; null outside a git checkout. What is built of changed files is as old. */
  committed: v.optional(v.nullable(v.pipe(v.string(), v.isoTimestamp())), null),
});
export type Manifest = v.InferOutput<typeof Manifest>;

/** sha256 in hex: the identity of a release. */
export const digestOf = (content: Uint8Array | string): string => createHash("sha256").update(content).digest("hex");

/**
 * The digest of a release, in hex: of its modules, and of all that decides how they are deployed. Not of where it comes
 * from and what made it, so that the same files make the same release everywhere. `content`: the manifest as it stands in
 * its file, because what the schema adds to it today was not there when the release was built.
 */
export function releaseDigest(content: Readonly<Record<string, unknown>>): string {
  const { digest: _, format, commit, committed, dirty, tools, attached, ...deployed } = content;
  return digestOf(canonical(deployed));
}

/** Bytes of all modules. */
export const sizeOf = ({ modules }: Pick<Manifest, "modules">): number =>
  modules.reduce((sum, { size }) => sum + size, 0);

/** How many bytes are written where people read them. */
export const kib = (bytes: number, digits = 1): string => `${(bytes / 1_024).toFixed(digits)} KiB`;

/** How a digest is written where people read it. */
export const shortDigest = (digest: string): string => digest.slice(0, 12);
