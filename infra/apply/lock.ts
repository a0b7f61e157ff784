/**
 * One apply at a time in a folder. The lock is the operating system's (SQLite's, on a file): it ends with the process
 * that holds it, however that ends, so there is never a stale one to clear away.
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { UserError } from "../stack/user-error.ts";

/** Takes the folder's lock and returns its release. @throws Error when another apply has it. */
export function lock(dir: string): () => void {
  mkdirSync(dir, { recursive: true });
  const database = new DatabaseSync(join(dir, "apply.lock"));
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (cause) {
    database.close();
    throw new UserError(`Another apply is running in ${dir}. Wait until it has ended, then try again.`, { cause });
  }
  return () => database.close();
}
