/**
 * Reads SQLite files that workerd may have open and write to, or delete, at any moment.
 *
 * An open file is in WAL mode: a reader sees a moment of it and holds up no writer. A file that is closed has no log
 * beside it; it is read without locks, because a reader with locks would make a new log and leave it there. Between two
 * such moments a reader may find neither, and then it tries again.
 */
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";

const TRIES = 5;
const RETRY_MS = 20;
/** How long a reader waits for a lock. */
const BUSY_MS = 500;

/** What `read` makes of the file, or undefined where there is none. Throws what the last try did. */
export async function readFile<T>(file: string, read: (db: DatabaseSync) => T): Promise<T | undefined> {
  for (let tries = 1; ; tries++) {
    if (!existsSync(file)) return undefined;
    try {
      return readOnce(file, read);
    } catch (error) {
      if (!isSqlite(error) || tries === TRIES) throw error;
      await sleep(RETRY_MS);
    }
  }
}

function readOnce<T>(file: string, read: (db: DatabaseSync) => T): T {
  const url = pathToFileURL(file);
  if (!existsSync(`${file}-wal`)) url.searchParams.set("immutable", "1");
  const db = new DatabaseSync(url, { readOnly: true, timeout: BUSY_MS });
  try {
    return read(db);
  } finally {
    db.close();
  }
}

const isSqlite = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ERR_SQLITE_ERROR";
