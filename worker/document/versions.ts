/**
 * Earlier versions of a document, in R2. A version has its row before its first byte is stored, and loses it after its
 * last byte is deleted, so that no crash leaves a file that the document does not know. What is read back must have the
 * hash that was kept.
 */
import { BUCKET_MS, deleteFiles, filesOf, readFile } from "../objects/blobs.ts";
import { within } from "../objects/deadline.ts";
import { damaged, notWritten } from "../objects/retry.ts";

/** A version that has not arrived after so long never will. */
const ARRIVING_MS = 10 * 60_000;

/** A version as its readers see it. */
export interface Version {
  readonly number: number;
  /** Missing if the document kept it by itself. */
  readonly name?: string;
  /** When it was made (ms since the epoch). */
  readonly at: number;
  /** How many bytes its state has. */
  readonly bytes: number;
}

type Row = {
  number: number;
  key: string;
  name: string | null;
  at: number;
  bytes: number;
  hash: string;
};

interface Parts {
  readonly storage: DurableObjectStorage;
  /** @throws Error if the stack has no bucket for the document's jurisdiction. */
  readonly bucket: () => R2Bucket;
  /** The name of the document's object. */
  readonly name: string;
  readonly most: number;
  /** Whether there are no tables. */
  readonly isNowhere: () => boolean;
  /** Sees to it that `sweep` is called at a time (ms since the epoch), or before. */
  readonly sweepBy: (at: number) => Promise<void>;
}

export class Versions {
  readonly #parts: Parts;
  /** The keys of those whose answer is awaited. Others that have not arrived were given up. */
  readonly #awaited = new Set<string>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** All versions, the newest first. Ask only if there are tables. */
  list(): Version[] {
    return this.#rows("state = 'stored' ORDER BY number DESC").map(versionOf);
  }

  /**
   * Stores a version. If there are too many, the oldest that has no name leaves; "full" if all have one. `also` is part
   * of the change that makes it a version. "gone" if the document was deleted meanwhile.
   * @throws Error if the bucket does not take it; then there is no such version.
   */
  async add(state: Uint8Array, name: string | undefined, now: number, also?: (version: Version) => void) {
    const { storage, most } = this.#parts;
    const hash = await hashOf(state);
    // Before there is a row, so that after a crash the file is not forgotten.
    await this.#parts.sweepBy(now + ARRIVING_MS);
    if (this.#parts.isNowhere()) return "gone";
    if (!this.#makeRoom(most)) return "full";
    const key = `${this.#prefix}${crypto.randomUUID()}`;
    const { number } = storage.sql
      .exec<{ number: number }>(
        `INSERT INTO versions (key, name, at, bytes, hash, state) VALUES (?, ?, ?, ?, ?, 'arriving') RETURNING number`,
        ...[key, name ?? null, now, state.byteLength, hash],
      )
      .one();
    this.#awaited.add(key);
    try {
      await within(BUCKET_MS, this.#parts.bucket().put(key, state));
    } catch (error) {
      // It may still arrive, so its row stays until it no longer can.
      throw notWritten("the version", error);
    } finally {
      this.#awaited.delete(key);
    }
    const version = { number, at: now, bytes: state.byteLength, ...(name !== undefined && { name }) };
    // The document may have been deleted meanwhile, and begun anew.
    const isThere = storage.transactionSync(() => {
      if (this.#parts.isNowhere()) return false;
      const arrived = "UPDATE versions SET state = 'stored' WHERE key = ? AND state = 'arriving' RETURNING 1";
      if (storage.sql.exec(arrived, key).toArray().length === 0) return false;
      also?.(version);
      return true;
    });
    if (isThere) return version;
    await this.#parts.bucket().delete(key);
    return "gone";
  }

  /** The state of a version; undefined if there is none. @throws Error if it is missing or was changed. */
  async read(number: number): Promise<Uint8Array | undefined> {
    const [row] = this.#rows("state = 'stored' AND number = ?", number);
    if (!row) return undefined;
    const stored = await readFile(this.#parts.bucket, row.key, "the version", (file) => file.arrayBuffer());
    if (!stored) throw damaged(`Version ${number} of the document is missing in its bucket (${row.key})`);
    const state = new Uint8Array(stored);
    if ((await hashOf(state)) !== row.hash) {
      throw damaged(`Version ${number} of the document was changed in its bucket (${row.key})`);
    }
    return state;
  }

  /** Deletes a version: from the list now, and from the bucket by `sweep`. False if there is none. */
  remove(number: number): boolean {
    const there = this.#rows("state = 'stored' AND number = ?", number).length > 0;
    if (there) this.#leave(number);
    return there;
  }

  /** Deletes from the bucket what has left the list. Returns when to come again; undefined if nothing is left. */
  async sweep(now: number): Promise<number | undefined> {
    const { sql } = this.#parts.storage;
    const leaving = this.#rows("state = 'leaving' OR (state = 'arriving' AND at <= ?) LIMIT 1000", now - ARRIVING_MS);
    if (leaving.length > 0) {
      await within(BUCKET_MS, this.#parts.bucket().delete(leaving.map(({ key }) => key)));
      for (const { number } of leaving) sql.exec("DELETE FROM versions WHERE number = ?", number);
    }
    const [left] = sql
      .exec<{ at: number }>("SELECT at FROM versions WHERE state = 'arriving' ORDER BY at LIMIT 1")
      .toArray();
    return left && left.at + ARRIVING_MS;
  }

  /** Deletes all files of the document. @throws Error as `deleteFiles` does. */
  clear(): Promise<void> {
    const { bucket, isNowhere } = this.#parts;
    // The document may have been begun anew meanwhile, and have versions of its own.
    const kept = () => (isNowhere() ? [] : this.#rows("true").map(({ key }) => key));
    return deleteFiles({ bucket, prefix: this.#prefix, what: "the deletion of the versions", kept });
  }

  /** Whether there is room for one more; the oldest without a name leaves for it. */
  #makeRoom(most: number): boolean {
    // What arrives is wanted by whoever waits for it.
    const arriving = this.#rows("state = 'arriving'").filter(({ key }) => this.#awaited.has(key));
    const excess = this.#rows("state = 'stored'").length + arriving.length + 1 - most;
    if (excess <= 0) return true;
    const unnamed = this.#rows("state = 'stored' AND name IS NULL ORDER BY number LIMIT ?", excess);
    for (const { number } of unnamed) this.#leave(number);
    return unnamed.length === excess;
  }

  #leave(number: number): void {
    this.#parts.storage.sql.exec("UPDATE versions SET state = 'leaving' WHERE number = ?", number);
  }

  #rows(where: string, ...values: number[]): Row[] {
    const { sql } = this.#parts.storage;
    return sql.exec<Row>(`SELECT number, key, name, at, bytes, hash FROM versions WHERE ${where}`, ...values).toArray();
  }

  get #prefix(): string {
    return filesOf(this.#parts.name, "versions");
  }
}

const versionOf = ({ number, name, at, bytes }: Row): Version => ({
  number,
  at,
  bytes,
  ...(name !== null && { name }),
});

async function hashOf(state: Uint8Array): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", state)).toHex();
}
