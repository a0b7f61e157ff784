/**
 * Bookmarks of D1 databases, to which they can be restored. Cloudflare keeps every change for 30 days. Here a bookmark is
 * a copy of the database from when somebody asked for its bookmark.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ApiError } from "./errors.ts";
import { databaseBytes, TooLarge } from "./runtime/sqlite-bytes.ts";

/** Not published by Cloudflare. */
const NO_SUCH_BOOKMARK = 7400;

/** How many copies of a database are kept, the newest: each may have 64 MiB. */
export const MOST_BOOKMARKS = 20;

const NAME = /^([0-9a-f]{8})-([0-9a-f]{8})-[0-9a-f]{8}-[0-9a-f]{32}$/;

/** The bookmarks of one database. */
export class Bookmarks {
  readonly #folder: string;
  readonly #database: string;

  /** `database`: its SQLite file, which may not exist yet. */
  constructor(folder: string, database: string) {
    this.#folder = folder;
    this.#database = database;
  }

  /**
   * The bookmark of the database as it is now. The oldest goes for it, unless that is `needed`.
   * @throws ApiError 501 if the database is too large to be copied.
   */
  async now(needed?: string): Promise<string> {
    const contents = await this.#contents();
    const digest = createHash("md5").update(contents).digest("hex");
    const names = await this.#names();
    const known = names.at(-1);
    if (known?.endsWith(digest)) return known;
    // The clock may have been set back, and names are in the order of their times.
    const moment = Math.max(Date.now(), known === undefined ? 0 : timeOf(known) + 1);
    const name = `${hex(moment / 1_000)}-${hex(moment % 1_000)}-00000000-${digest}`;
    await mkdir(this.#folder, { recursive: true });
    await replace(path.join(this.#folder, name), contents);
    for (const old of names.slice(0, 1 - MOST_BOOKMARKS))
      if (old !== needed) await rm(path.join(this.#folder, old), { force: true });
    return name;
  }

  /** The bookmark of a moment, in milliseconds since 1970. @throws ApiError if the database has changed since. */
  async at(moment: number): Promise<string> {
    const changed = await this.#changedAt();
    if (moment >= changed) return this.now();
    const kept = (await this.#names()).map((name) => `${name} (${new Date(timeOf(name)).toISOString()})`);
    throw new ApiError(
      501,
      NO_SUCH_BOOKMARK,
      `The database has changed since then, at ${new Date(changed).toISOString()}. The local account keeps no changes, but copies from when its bookmark was asked for: ${kept.join(", ") || "none"}. Restore one of these with --bookmark.`,
    );
  }

  /** @throws ApiError if there is none. */
  async check(bookmark: string): Promise<void> {
    const names = await this.#names();
    if (!names.includes(bookmark))
      throw new ApiError(
        400,
        NO_SUCH_BOOKMARK,
        `There is no bookmark '${bookmark}' of this database; there ${names.length === 0 ? "is none" : `are ${names.join(", ")}`}. \`wrangler d1 time-travel info\` makes one, and the newest ${MOST_BOOKMARKS} are kept.`,
      );
  }

  /** Restores the database. Nobody may have it open. If it fails, or is killed, the database is as it was. */
  async restore(bookmark: string): Promise<void> {
    await this.check(bookmark);
    const contents = await readFile(path.join(this.#folder, bookmark));
    await mkdir(path.dirname(this.#database), { recursive: true });
    await replace(this.#database, contents, async () => {
      // The old log would be read as the new database's. What it has is in the old database first.
      if ((await stat(`${this.#database}-wal`).catch(() => undefined)) !== undefined) writeLogBack(this.#database);
      for (const end of ["-wal", "-shm"]) await rm(`${this.#database}${end}`, { force: true });
    });
  }

  async #contents(): Promise<Buffer> {
    try {
      return (await databaseBytes(this.#database)) ?? Buffer.alloc(0);
    } catch (error) {
      if (error instanceof TooLarge) throw new ApiError(501, NO_SUCH_BOOKMARK, `No bookmark: ${error.message}`);
      throw error;
    }
  }

  /** From the oldest on. */
  async #names(): Promise<string[]> {
    const names = await readdir(this.#folder).catch(() => []);
    return names.filter((name) => NAME.test(name)).sort();
  }

  async #changedAt(): Promise<number> {
    const files = [this.#database, `${this.#database}-wal`].map((file) => stat(file).catch(() => undefined));
    return Math.max(0, ...(await Promise.all(files)).map((found) => found?.mtimeMs ?? 0));
  }
}

/** Replaces a file, or leaves it as it is. `before` is called when the new contents are on the disk. */
async function replace(file: string, contents: Uint8Array, before = async () => {}): Promise<void> {
  const whole = `${file}.new`;
  try {
    await writeFile(whole, contents, { flush: true });
    await before();
    await rename(whole, file);
  } catch (error) {
    await rm(whole, { force: true }).catch(() => {});
    throw error;
  }
}

/** Moves what SQLite's log has into the database. @throws if not all of it is there. */
function writeLogBack(file: string): void {
  const db = new DatabaseSync(file);
  try {
    const { busy } = db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get() ?? {};
    if (busy !== 0) throw new Error(`${file} is in use, so its log cannot be written back`);
  } finally {
    db.close();
  }
}

/** Removes the bookmarks of deleted databases. */
export async function sweepBookmarks(folder: string, kept: ReadonlySet<string>): Promise<void> {
  for (const id of await readdir(folder).catch(() => []))
    if (!kept.has(id)) await rm(path.join(folder, id), { recursive: true, force: true });
}

const hex = (value: number) => Math.floor(value).toString(16).padStart(8, "0");

function timeOf(name: string): number {
  const [, seconds = "0", milliseconds = "0"] = NAME.exec(name) ?? [];
  return Number.parseInt(seconds, 16) * 1_000 + Number.parseInt(milliseconds, 16);
}
