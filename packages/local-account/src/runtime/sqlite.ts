/** Reads an SQLite file as it is at one moment. workerd may have it open, write to it or delete it at any time. */
import { DatabaseSync } from "node:sqlite";
import { databaseBytes } from "./sqlite-bytes.ts";

/** The result of `read` on the file's contents; undefined if there is no file. @throws TooLarge. */
export async function readDatabase<T>(file: string, read: (db: DatabaseSync) => T): Promise<T | undefined> {
  const bytes = await databaseBytes(file);
  if (bytes === undefined) return undefined;
  const db = new DatabaseSync(":memory:");
  try {
    if (bytes.length > 0) db.deserialize(bytes);
    return read(db);
  } finally {
    db.close();
  }
}
