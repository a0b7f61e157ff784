/**
 * Versions of an object's SQL schema. An object that slept through several releases catches up when it wakes. A step
 * that fails leaves schema and version as they were: the object still answers reads, and refuses changes until a release
 * mends the step. An object that was only read stays empty, because even an empty database is stored, and billed, for
 * ever.
 */

import { type SchemaSteps, sqlOf } from "./steps.ts";

/** Whether an object has a table of this name. */
export const hasTable = (sql: SqlStorage, name: string): boolean =>
  sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", name).toArray().length > 0;

/** The schema of one object. Make it in the object's constructor, with the steps of its pattern. */
export class Schema {
  readonly #storage: DurableObjectStorage;
  readonly #steps: SchemaSteps;
  #version: number;

  constructor(storage: DurableObjectStorage, { schema: steps }: { readonly schema: SchemaSteps }) {
    this.#storage = storage;
    this.#steps = steps;
    this.#version = this.#stored();
    if (this.empty) return;
    try {
      this.create();
    } catch (error) {
      console.error(`The tables cannot be brought from version ${this.#version} to ${this.#steps.length}: ${error}`);
    }
  }

  /** Whether nothing was ever written, so that there are no tables. */
  get empty(): boolean {
    return this.#version === 0;
  }

  /** Whether the tables have the newest version, or a newer one. */
  get isCurrent(): boolean {
    return this.#version >= this.#steps.length;
  }

  /** Brings the tables to the newest version. Call it before a write; it may be called again. @throws what SQLite does */
  create(): void {
    if (this.isCurrent) return;
    this.#storage.transactionSync(() => {
      const { sql } = this.#storage;
      for (const step of this.#steps.slice(this.#version)) sql.exec(sqlOf(step));
      sql.exec(
        "CREATE TABLE IF NOT EXISTS schema_version (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL)",
      );
      sql.exec("INSERT OR REPLACE INTO schema_version (id, version) VALUES (1, ?)", this.#steps.length);
    });
    // After the transaction, because a rollback must not leave memory ahead of the disk.
    this.#version = this.#steps.length;
  }

  /** Forgets the version after `deleteAll()`, so that a later write starts afresh. */
  forget(): void {
    this.#version = 0;
  }

  #stored(): number {
    const { sql } = this.#storage;
    if (!hasTable(sql, "schema_version")) return 0;
    return sql.exec<{ version: number }>("SELECT version FROM schema_version").one().version;
  }
}
