/** One apply at a time in a folder. */
import { join } from "node:path";
import { takeFileLock } from "../common/file-lock.ts";

/** Takes the folder's lock and returns its release. @throws UserError when another apply has it, or the folder cannot be written. */
export const lockFolder = (dir: string): (() => void) =>
  takeFileLock(join(dir, "apply.lock"), `Another apply is running in ${dir}. Wait until it has ended, then try again.`);
