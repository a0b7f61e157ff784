/** A release as one file: a .tar.gz of its folder. Reading one trusts nothing in it. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { gzipSync } from "fflate";
import { Header, Parser, Pax, type ReadEntry } from "tar";
import { messageOf } from "../common/errors.ts";
import { UserError } from "../common/user-error.ts";
import { isInside } from "./manifest.ts";

/** More than a release that Cloudflare takes can be, unpacked, with its source map. */
const MOST_BYTES = 128 * 1_024 * 1_024;
const MOST_FILES = 1_000;
const BLOCK = 512;
/** How gzip's and zstd's files begin. The parser would unpack such a content once more, to any size. */
const COMPRESSED = [Buffer.from([0x1f, 0x8b]), Buffer.from([0x28, 0xb5, 0x2f, 0xfd])];

/** The files of a release by their names, in the order of their names. */
export type Files = ReadonlyMap<string, Uint8Array>;

/**
 * The files as a .tar.gz. The same files make the same bytes on any machine: no time, no owner, and compressed in
 * JavaScript, because zlib's output differs between processors.
 */
export function packed(files: Files): Uint8Array {
  const blocks = [...files]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([path, contents]) => [
      headerOf(path, contents),
      contents,
      new Uint8Array(-contents.byteLength & (BLOCK - 1)),
    ]);
  return gzipSync(Buffer.concat([...blocks, new Uint8Array(2 * BLOCK)]), { level: 9, mtime: 0 });
}

function headerOf(path: string, contents: Uint8Array): Uint8Array {
  const header = new Header({ path, size: contents.byteLength, mode: 0o644, mtime: new Date(0), type: "File" });
  // A name of more than ASCII, or a long one, does not fit: it stands in a header of its own before.
  const more = header.encode() ? [new Pax({ path }).encode()] : [];
  if (!header.block) throw new Error(`${path}: no tar header was made`);
  return Buffer.concat([...more, header.block]);
}

/**
 * The files in a .tar.gz, in memory: nothing is written.
 * @throws UserError where it is none, or has anything but files inside of it, or is larger than a release can be.
 */
export function unpacked(path: string): Files {
  const refuse = (why: string, cause?: unknown) => new UserError(`${path} is not a release: ${why}.`, { cause });
  let tar: Uint8Array;
  try {
    tar = gunzipSync(readFileSync(path), { maxOutputLength: MOST_BYTES });
  } catch (error) {
    throw refuse(messageOf(error), error);
  }
  if (COMPRESSED.some((start) => start.equals(tar.subarray(0, start.length)))) throw refuse("it is compressed twice");
  const files = new Map<string, Uint8Array>();
  const wrong: string[] = [];
  const parser = new Parser({ strict: true });
  parser.on("entry", (entry: ReadEntry) => {
    const name = entry.path.replace(/^\.\//, "");
    const why = whyNot(entry, name, files);
    if (why !== undefined) wrong.push(why);
    if (why !== undefined || entry.type === "Directory") return entry.resume();
    const parts: Uint8Array[] = [];
    files.set(name, new Uint8Array());
    entry.on("data", (part: Uint8Array) => parts.push(part));
    entry.on("end", () => files.set(name, Buffer.concat(parts)));
  });
  parser.on("error", (error: Error) => wrong.push(error.message));
  parser.end(Buffer.from(tar));
  const [first] = wrong;
  if (first !== undefined) throw refuse(first);
  return files;
}

/** Why an entry is none of a release; undefined: it may be one. */
function whyNot({ type }: ReadEntry, name: string, files: Files): string | undefined {
  if (type !== "File" && type !== "OldFile" && type !== "Directory")
    return `${name} is a ${type}, and only files are allowed`;
  if (!isInside(name)) return `${JSON.stringify(name)} would be outside of its folder`;
  if (files.has(name)) return `${name} is in it twice`;
  return files.size < MOST_FILES ? undefined : `it has more than ${MOST_FILES} files`;
}
