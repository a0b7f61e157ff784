/** Reads a snapshot of an SQLite file that workerd may have open, write to or delete at any time. */
import { DatabaseSync } from "node:sqlite";
import { snapshotOf } from "./snapshot.ts";

/** The result of `read` on the file's contents; undefined if there is no file. @throws TooLarge. */
export async function readDatabase<T>(file: string, read: (db: DatabaseSync) => T): Promise<T | undefined> {
  const bytes = await snapshotOf(file);
  if (bytes === undefined) return undefined;
  const db = new DatabaseSync(":memory:");
  try {
    if (bytes.length > 0) db.deserialize(bytes);
    return read(db);
  } finally {
    db.close();
  }
}
