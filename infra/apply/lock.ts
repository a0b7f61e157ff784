/**
 * One apply at a time in a folder. The lock is the operating system's (SQLite's, on a file): it ends with the process
 * that holds it, however that ends, so there is never a stale one to clear away.
 */

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { attempt, makeFolder } from "../stack/named-file.ts";
import { UserError } from "../stack/user-error.ts";

/** SQLite's number for a file that another process has locked (SQLITE_BUSY). */
const SQLITE_BUSY = 5;

/** Takes the folder's lock and returns its release. @throws UserError when another apply has it, or the folder cannot be written. */
export function lock(dir: string): () => void {
  makeFolder(dir);
  const file = join(dir, "apply.lock");
  const database = attempt(file, "written", () => new DatabaseSync(file));
  try {
    attempt(file, "written", () => database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE"));
  } catch (cause) {
    database.close();
    if (!isBusy(cause)) throw cause;
    throw new UserError(`Another apply is running in ${dir}. Wait until it has ended, then try again.`, { cause });
  }
  return () => database.close();
}

const isBusy = (error: unknown): boolean =>
  error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
