/** Reads a moment of an SQLite file that workerd may have open and write to, or delete, at any time. */
import { DatabaseSync } from "node:sqlite";
import { snapshotOf } from "./snapshot.ts";

/** What `read` makes of the file's contents, or undefined where there is no file. @throws TooLarge. */
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
