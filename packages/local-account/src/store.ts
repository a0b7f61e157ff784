/**
 * The account's state on disk: `account.db`, an SQLite file.
 *
 * One request is one transaction. Its changes are collected in a draft, which is written as a whole or not at all. So a
 * kill at any moment leaves the account as it was before the request, or as it is after it. The file is locked while it
 * is open: two accounts cannot share a directory, and a killed one leaves no lock.
 */
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { CannotStart } from "./errors.ts";
import { digest } from "./ids.ts";
import type { Records, State } from "./model.ts";

type Name = keyof Records;

/** Called before and after every write to disk, with the name of the moment. Tests kill the process here. */
export type WriteHook = (moment: string) => void;

/** Whether SQLite says of an error that the file is none of its own, or is damaged. */
const isOfDamage = (error: unknown): error is Error =>
  error instanceof Error && /not a database|malformed/i.test(error.message);

/** Says so of a file, and what to do. */
const damaged = (file: string, { message }: Error): string =>
  `${file} cannot be read (${message}). Choose another --dir, load a snapshot in its place (snapshot load --fresh), or lose that account with --fresh.`;

/** Thrown by `Store.open` if another process has the file open. */
export class StoreLocked extends Error {}
/** Thrown by `Store.open` if the file is no database, or a damaged one, or a record in it is no JSON. Says what to do. */
export class StoreDamaged extends Error {}

/** The writes of one request. The draft's own reads see them; others do so only after the commit. */
export class Draft {
  #state: State;
  readonly #copied = new Set<Name>();
  readonly #blobs = new Map<string, Uint8Array>();
  readonly #changes: Change[] = [];
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
    this.#state = store.state;
  }

  get state(): State {
    return this.#state;
  }

  get changes(): readonly Change[] {
    return this.#changes;
  }

  get blobs(): ReadonlyMap<string, Uint8Array> {
    return this.#blobs;
  }

  /** Adds the record or replaces the one with its id. */
  put<N extends Name>(name: N, record: Records[N]): Records[N] {
    this.#collection(name).set(record.id, record);
    this.#changes.push({ name, id: record.id, json: JSON.stringify(record) });
    return record;
  }

  delete(name: Name, id: string): void {
    if (this.#collection(name).delete(id)) this.#changes.push({ name, id, json: null });
  }

  /** Whether a record of one of these collections was removed. */
  lost(...names: readonly Name[]): boolean {
    return this.#changes.some(({ name, json }) => json === null && names.includes(name));
  }

  /** Stores the bytes under their hash, and returns it. The same bytes are stored once. */
  putBlob(bytes: Uint8Array): string {
    const sha256 = digest(bytes);
    this.#blobs.set(sha256, bytes);
    return sha256;
  }

  blob(sha256: string): Uint8Array {
    return this.#blobs.get(sha256) ?? this.#store.blob(sha256);
  }

  /** The collection for changes. It is copied at its first change, so that other readers keep theirs. */
  #collection<N extends Name>(name: N): Map<string, Records[N]> {
    if (!this.#copied.has(name)) {
      this.#copied.add(name);
      this.#state = { ...this.#state, [name]: new Map<string, Records[N]>(this.#state[name]) };
    }
    const collection: ReadonlyMap<string, Records[N]> = this.#state[name];
    if (!(collection instanceof Map)) throw new TypeError(`${name} is not a Map`);
    return collection;
  }
}

interface Change {
  readonly name: Name;
  readonly id: string;
  /** The record; null if it was removed. */
  readonly json: string | null;
}

export class Store {
  readonly #db: DatabaseSync;
  readonly #file: string;
  readonly #onWrite: WriteHook;
  #state: State;

  /** Opens or creates the file, and reads it. @throws StoreLocked if another process has it open, or StoreDamaged. */
  static open(file: string, onWrite: WriteHook = () => {}): Store {
    const db = new DatabaseSync(file);
    try {
      // The first write takes an exclusive lock, and the process holds it until it ends, even if it is killed.
      db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
      db.exec(`BEGIN EXCLUSIVE;
        CREATE TABLE IF NOT EXISTS records (
          sequence INTEGER PRIMARY KEY, collection TEXT NOT NULL, id TEXT NOT NULL, record TEXT NOT NULL,
          UNIQUE (collection, id)
        );
        CREATE TABLE IF NOT EXISTS blobs (sha256 TEXT PRIMARY KEY, contents BLOB NOT NULL);
        COMMIT`);
      return new Store(db, file, onWrite);
    } catch (error) {
      db.close();
      if (error instanceof Error && /locked|busy/i.test(error.message)) throw new StoreLocked(error.message);
      if (error instanceof SyntaxError || isOfDamage(error)) throw new StoreDamaged(damaged(file, error));
      throw error;
    }
  }

  private constructor(db: DatabaseSync, file: string, onWrite: WriteHook) {
    this.#db = db;
    this.#file = file;
    this.#onWrite = onWrite;
    this.#state = this.#load();
  }

  get state(): State {
    return this.#state;
  }

  /**
   * The contents of a module or a manifest. @throws CannotStart if the file is damaged there, Error if they are missing:
   * then the file was changed by hand.
   */
  blob(sha256: string): Uint8Array {
    const contents = this.#contentsOf(sha256);
    if (!(contents instanceof Uint8Array)) throw new Error(`account.db has no contents for module ${sha256}`);
    return contents;
  }

  /** Writes the draft in one transaction, and makes it the state. Deletes blobs that no record refers to. */
  commit(draft: Draft): void {
    this.#write("begin", "BEGIN IMMEDIATE");
    try {
      for (const [sha256, contents] of draft.blobs)
        this.#write("blob", "INSERT OR IGNORE INTO blobs VALUES (?, ?)", sha256, contents);
      for (const { name, id, json } of draft.changes) {
        if (json === null) this.#write(name, "DELETE FROM records WHERE collection = ? AND id = ?", name, id);
        else
          this.#write(
            name,
            `INSERT INTO records (collection, id, record) VALUES (?, ?, ?)
             ON CONFLICT (collection, id) DO UPDATE SET record = excluded.record`,
            name,
            id,
            json,
          );
      }
      if (draft.lost("versions", "assetSessions")) this.#dropUnusedBlobs(draft);
      this.#write("commit", "COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
    this.#state = draft.state;
  }

  /** Writes all of SQLite's log into the file, so that the file alone is the state. */
  checkpoint(): void {
    this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  close(): void {
    this.#db.close();
  }

  #contentsOf(sha256: string): unknown {
    try {
      return this.#db.prepare("SELECT contents FROM blobs WHERE sha256 = ?").get(sha256)?.contents;
    } catch (error) {
      if (!isOfDamage(error)) throw error;
      throw new CannotStart(damaged(this.#file, error));
    }
  }

  #dropUnusedBlobs(draft: Draft): void {
    const { versions, assetSessions } = draft.state;
    const used = [
      ...[...versions.values()].flatMap(({ modules }) => modules.map(({ sha256 }) => sha256)),
      ...[...versions.values()].flatMap(({ assets }) => (assets === undefined ? [] : [assets.manifest])),
      ...[...assetSessions.values()].map(({ manifest }) => manifest),
    ];
    this.#write(
      "blobs",
      "DELETE FROM blobs WHERE sha256 NOT IN (SELECT value FROM json_each(?))",
      JSON.stringify([...new Set(used)]),
    );
  }

  #write(what: string, sql: string, ...values: SQLInputValue[]): void {
    this.#onWrite(`before ${what}`);
    this.#db.prepare(sql).run(...values);
    this.#onWrite(`after ${what}`);
  }

  #load(): State {
    const load = <N extends Name>(name: N): Map<string, Records[N]> => {
      const rows = this.#db.prepare("SELECT id, record FROM records WHERE collection = ? ORDER BY sequence").all(name);
      // Only `commit` writes this file, so its records have the types of model.ts.
      return new Map(rows.map(({ id, record }) => [String(id), JSON.parse(String(record))]));
    };
    return {
      identity: load("identity"),
      workers: load("workers"),
      versions: load("versions"),
      deployments: load("deployments"),
      namespaces: load("namespaces"),
      transfers: load("transfers"),
      kvNamespaces: load("kvNamespaces"),
      buckets: load("buckets"),
      databases: load("databases"),
      hyperdrives: load("hyperdrives"),
      queues: load("queues"),
      consumers: load("consumers"),
      workflows: load("workflows"),
      zones: load("zones"),
      routes: load("routes"),
      domains: load("domains"),
      assetFiles: load("assetFiles"),
      assetSessions: load("assetSessions"),
      history: load("history"),
    };
  }
}
