/** Options for the commands that errors and hints name, so that they work as they are printed. */
import { relative, resolve } from "node:path";
import { ROOT } from "../release/root.ts";

/** The folder of the local account, seen from the project, where no other is named. */
export const DEFAULT_DIR = ".local";

/** ` --dir <folder>` for the account of this folder, as a shell takes it; nothing if it is the default. */
export const dirOption = (dir: string): string =>
  resolve(ROOT, dir) === resolve(ROOT, DEFAULT_DIR) ? "" : ` --dir ${folderWord(dir)}`;

/** A folder as a shell takes it, seen from the project where it is in it. */
export function folderWord(dir: string): string {
  const absolute = resolve(ROOT, dir);
  const near = relative(ROOT, absolute);
  const shown = near.startsWith("..") ? absolute : near;
  return /^[\w./-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", "'\\''")}'`;
}
