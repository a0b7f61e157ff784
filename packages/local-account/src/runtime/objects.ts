/**
 * Reads the objects of a namespace from their files: one SQLite file per object, named by its id, in the namespace's
 * folder. workerd may have the files open and write to them: see sqlite-bytes.ts.
 */
import { createHash, createHmac } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { readDatabase } from "./sqlite.ts";
import { TooLarge } from "./sqlite-bytes.ts";

/** The file for the alarms of a namespace, which workerd keeps beside the objects. */
const METADATA_FILE = "metadata.sqlite";

export const NANOSECONDS = 1_000_000n;

/** An object's file. */
export interface ObjectFile {
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly writtenAt: number;
}

/** An alarm that is set. workerd stores the object's name with it. */
export interface SetAlarm {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly name: string | null;
}

/** The files of all objects, below the runtime's data folder. */
export class ObjectFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = path.join(directory, "do");
  }

  /** The ids of a namespace's objects that have ever opened their storage, sorted. */
  async ids(namespaceId: string): Promise<string[]> {
    const files = await readdir(this.#folder(namespaceId)).catch(() => []);
    return files
      .filter((file) => /^[0-9a-f]{64}\.sqlite$/.test(file))
      .map((file) => file.slice(0, 64))
      .sort();
  }

  /** The SQLite file of an object. It may not exist. */
  path(namespaceId: string, objectId: string): string {
    return path.join(this.#folder(namespaceId), `${objectId}.sqlite`);
  }

  /** Size and time of an object's file, with its write-ahead log; undefined if there is none. */
  async file(namespaceId: string, objectId: string): Promise<ObjectFile | undefined> {
    const file = this.path(namespaceId, objectId);
    const [main, log] = await Promise.all([file, `${file}-wal`].map((name) => stat(name).catch(() => undefined)));
    if (main === undefined) return undefined;
    return {
      bytes: main.size + (log?.size ?? 0),
      writtenAt: Math.round(Math.max(main.mtimeMs, log !== undefined && log.size > 0 ? log.mtimeMs : 0)),
    };
  }

  /** Whether the object has rows or tables of its own. An object that deleted everything keeps an empty file. */
  async hasStoredData(namespaceId: string, objectId: string): Promise<boolean> {
    try {
      return (await readDatabase(this.path(namespaceId, objectId), hasRows)) ?? false;
    } catch (error) {
      if (error instanceof TooLarge) return true;
      throw error;
    }
  }

  /** The alarms of a namespace's objects, by the object's id. */
  async alarms(namespaceId: string): Promise<ReadonlyMap<string, SetAlarm>> {
    const alarms = await readDatabase(path.join(this.#folder(namespaceId), METADATA_FILE), (db) => {
      const columns = db.prepare("SELECT name FROM pragma_table_info('_cf_ALARM')").all();
      const known = new Set(columns.map(({ name }) => String(name)));
      if (!known.has("actor_id")) return [];
      const name = known.has("actor_name") ? "actor_name" : "NULL";
      const statement = db.prepare(`SELECT actor_id AS id, scheduled_time AS at, ${name} AS name FROM _cf_ALARM`);
      statement.setReadBigInts(true);
      return statement
        .all()
        .flatMap(({ id, at, name }): [string, SetAlarm][] =>
          typeof at === "bigint"
            ? [[String(id), { at: Number(at / NANOSECONDS), name: typeof name === "string" ? name : null }]]
            : [],
        );
    });
    return new Map(alarms ?? []);
  }

  #folder(namespaceId: string): string {
    return path.join(this.#directory, namespaceId);
  }
}

function hasRows(db: DatabaseSync): boolean {
  const tables = db
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
    .all()
    .map(({ name }) => String(name));
  if (tables.some((name) => !name.startsWith("_cf_"))) return true;
  return tables.includes("_cf_KV") && db.prepare("SELECT 1 FROM _cf_KV LIMIT 1").get() !== undefined;
}

/** The id that workerd gives to the object with this name. It follows from the namespace's key and the name. */
export function objectIdOf(uniqueKey: string, name: string): string {
  const key = createHash("sha256").update(uniqueKey).digest();
  const half = (contents: string | Buffer) => createHmac("sha256", key).update(contents).digest().subarray(0, 16);
  const first = half(name);
  return Buffer.concat([first, half(first)]).toString("hex");
}
