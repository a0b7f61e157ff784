/**
 * A KV namespace in workerd: Miniflare's object, which can also take and remove many keys in one call. Miniflare writes
 * a file for each value. Here a small value of a batch is a row beside the key, so a batch is one transaction.
 */

import { DELETE, PUT } from "miniflare:shared";
import { Buffer } from "node:buffer";
import { KVNamespaceObject as MiniflareObject } from "./namespace.worker.js";

/** Larger values stay files: SQLite in workerd takes rows up to 2 MB. */
const MOST_BYTES = 64 * 1_024;

/** What the id of a value begins with if it is a row. Those of files are hexadecimal. */
const ROW = "row-";

export class KVNamespaceObject extends MiniflareObject {
  #values;

  /** Miniflare reads and deletes values through this. */
  get blob() {
    this.#values ??= new Values(this.db, super.blob);
    return this.#values;
  }

  /** Writes pairs `{key, value, base64, expiration, metadata}`; the expiration is in milliseconds, metadata is JSON. */
  async putMany(request) {
    const { blob } = this;
    const pairs = await request.json();
    // Of a key's pairs the last counts.
    const last = new Map(pairs.map((pair) => [pair.key, pair]));
    const large = new Map();
    const entries = [...last.values()].map(({ value, base64, ...entry }) => ({
      ...entry,
      bytes: Buffer.from(value, base64 ? "base64" : "utf8"),
    }));
    for (const { key, bytes } of entries)
      if (bytes.length > MOST_BYTES) large.set(key, await blob.put(streamOf(bytes)));
    await this.storage.list({ limit: 1 }); // Makes the tables.
    const replaced = this.state.storage.transactionSync(() =>
      entries.flatMap(({ key, bytes, expiration, metadata }) => {
        const before = this.#remove(key);
        const id = large.get(key) ?? blob.putRow(bytes);
        this.db.exec(
          "INSERT INTO _mf_entries (key, blob_id, expiration, metadata) VALUES (?, ?, ?, ?)",
          key,
          id,
          expiration ?? null,
          metadata ?? null,
        );
        return before;
      }),
    );
    await blob.deleteMany(replaced);
    return Response.json({});
  }

  async deleteMany(request) {
    const keys = await request.json();
    await this.storage.list({ limit: 1 });
    const removed = this.state.storage.transactionSync(() => keys.flatMap((key) => this.#remove(key)));
    await this.blob.deleteMany(removed);
    return Response.json({});
  }

  /** Removes a key, and returns the id of its value. */
  #remove(key) {
    const rows = this.db.exec("DELETE FROM _mf_entries WHERE key = ? RETURNING blob_id", key).toArray();
    return rows.map(({ blob_id }) => blob_id);
  }
}

PUT("/")(KVNamespaceObject.prototype, "putMany");
DELETE("/")(KVNamespaceObject.prototype, "deleteMany");

/** The values of a namespace: rows, and Miniflare's files. */
class Values {
  #db;
  #files;

  constructor(db, files) {
    this.#db = db;
    this.#files = files;
    db.exec("CREATE TABLE IF NOT EXISTS account_values (id TEXT PRIMARY KEY, value BLOB NOT NULL)");
  }

  async get(id, range, options) {
    if (!id.startsWith(ROW)) return this.#files.get(id, range, options);
    const [row] = this.#db.exec("SELECT value FROM account_values WHERE id = ?", id).toArray();
    return row === undefined ? null : streamOf(row.value);
  }

  put(stream) {
    return this.#files.put(stream);
  }

  putRow(bytes) {
    const id = `${ROW}${crypto.randomUUID()}`;
    this.#db.exec("INSERT INTO account_values (id, value) VALUES (?, ?)", id, bytes);
    return id;
  }

  async delete(id) {
    if (!id.startsWith(ROW)) return this.#files.delete(id);
    this.#db.exec("DELETE FROM account_values WHERE id = ?", id);
  }

  deleteMany(ids) {
    return Promise.all(ids.map((id) => this.delete(id)));
  }
}

const streamOf = (bytes) => new Response(bytes).body ?? new Response("").body;
