/**
 * A lock that is the operating system's (SQLite's, on a file): it ends with the process that holds it, however that ends,
 * so there is never a stale one to clear away.
 */
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { attempt, makeFolder } from "./named-file.ts";
import { UserError } from "./user-error.ts";

/** SQLite's number for a file that another process has locked (SQLITE_BUSY). */
const SQLITE_BUSY = 5;

/** Takes the lock and returns its release. @throws UserError: `busy` when another has it, or that it cannot be written. */
export function takeFileLock(file: string, busy: string): () => void {
  makeFolder(dirname(file));
  const database = attempt(file, "written", () => new DatabaseSync(file));
  try {
    attempt(file, "written", () => database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE"));
  } catch (cause) {
    database.close();
    if (!isBusy(cause)) throw cause;
    throw new UserError(busy, { cause });
  }
  return () => database.close();
}

const isBusy = (error: unknown): boolean =>
  error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
