/** The manifest of a Worker's static assets: the file at each path. Pure. */
import { posix } from "node:path";
import * as v from "valibot";
import { invalid } from "../errors.ts";
import type { Plan } from "../options.ts";
import { parse } from "../parse.ts";

/** A file in a client's manifest. */
export interface ManifestEntry {
  /** The client's own hash of the file. Each client has another algorithm, so hashes can only be compared. */
  readonly hash: string;
  /** Bytes. */
  readonly size: number;
}

/** The id of the file at each path, sorted by path, so that the same files always make the same manifest. */
export type Manifest = readonly (readonly [path: string, fileId: string])[];

/** Cloudflare's limit for one file. */
export const MAX_FILE_SIZE = 25 * 1024 * 1024;

/** Cloudflare's limits for the files of a version. */
const MAX_FILES: Readonly<Record<Plan, number>> = { free: 20_000, paid: 100_000 };

/** The most files and bytes of one upload request: large enough for few requests, small enough to hold in memory. */
const BUCKET = { files: 500, bytes: 32 * 1024 * 1024 } as const;

/** The longest name that file systems take. */
const MAX_NAME_BYTES = 255;

const Body = v.object({
  manifest: v.record(
    v.string(),
    v.object({
      hash: v.pipe(v.string(), v.regex(/^[\w-]{1,64}$/, "must be 1 to 64 letters and digits")),
      size: v.pipe(v.number(), v.integer(), v.minValue(0)),
    }),
  ),
});

/** Files with the same hash and the same size are the same file. */
export const fileId = ({ hash, size }: ManifestEntry): string => `${hash}-${size}`;

/** Reads the body of an upload session. @throws ApiError 10021 naming all invalid paths, or the limit. */
export function parseManifest(body: unknown, plan: Plan): ReadonlyMap<string, ManifestEntry> {
  const entries = new Map(Object.entries(parse(Body, body).manifest));
  if (entries.size > MAX_FILES[plan])
    throw invalid(
      `manifest: ${entries.size} files; a version on the ${plan} plan may have ${MAX_FILES[plan]}. Leave some out by .assetsignore.`,
    );
  const folders = new Set([...entries.keys()].flatMap(foldersOf));
  const sizes = new Map([...entries.values()].map(({ hash, size }) => [hash, size]));
  const mistakes = [...entries].flatMap(([path, entry]) => {
    const mistake =
      sizes.get(entry.hash) === entry.size
        ? mistakeIn(path, entry, folders)
        : "another file has this hash and another size";
    return mistake === undefined ? [] : [`${path}: ${mistake}`];
  });
  if (mistakes.length > 0) throw invalid(`manifest: ${mistakes.join("; ")}.`);
  return entries;
}

/** The manifest in its stored form. */
export const toManifest = (entries: ReadonlyMap<string, ManifestEntry>): Manifest =>
  [...entries].map(([path, entry]) => [path, fileId(entry)] as const).sort(([a], [b]) => (a < b ? -1 : 1));

/** The hashes of the files, each once, grouped by upload request. */
export function buckets(entries: Iterable<ManifestEntry>): string[][] {
  const wanted = new Map([...entries].map((entry) => [entry.hash, entry.size]));
  const groups: string[][] = [];
  let bytes = 0;
  for (const [hash, size] of wanted) {
    const last = groups.at(-1);
    if (last === undefined || last.length >= BUCKET.files || bytes + size > BUCKET.bytes) {
      groups.push([hash]);
      bytes = size;
    } else {
      last.push(hash);
      bytes += size;
    }
  }
  return groups;
}

function mistakeIn(path: string, { size }: ManifestEntry, folders: ReadonlySet<string>): string | undefined {
  if (!path.startsWith("/") || path.endsWith("/")) return "a path begins with '/' and ends with a file's name";
  if (posix.normalize(path) !== path || path.includes("\0")) return "a path has no '.', '..' or empty parts";
  if (path.split("/").some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES))
    return `no part of a path may have more than ${MAX_NAME_BYTES} bytes`;
  if (folders.has(path)) return "this path is a file, and a folder of another one";
  if (size > MAX_FILE_SIZE) return `${size} bytes; a file may have ${MAX_FILE_SIZE} (25 MiB)`;
  return undefined;
}

/** `/a/b/c` is in `/a` and `/a/b`. */
const foldersOf = (path: string): string[] => {
  const names = path.split("/").slice(1, -1);
  return names.map((_, index) => `/${names.slice(0, index + 1).join("/")}`);
};
