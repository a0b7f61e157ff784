/** The files of an account. They hold secrets, so only their user may read them, whoever has made the directory. */
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { faultOfDisk } from "./disk.ts";
import { CannotStart } from "./errors.ts";

/** The state: Workers, versions, secrets, the token. SQLite keeps a log beside it. */
export const STATE_FILE = "account.db";
export const STATE_LOG = `${STATE_FILE}-wal`;
/** The folders of Workers' assets, and of the data of objects, namespaces, buckets and databases. */
export const ASSETS_FOLDER = "assets";
export const DATA_FOLDER = "data";

/** Says of a folder that it is a snapshot, which may be replaced. An account that starts there removes it. */
export const SNAPSHOT_MARK = ".local-account-snapshot";

/** By it git ignores a folder that nothing else is in, whatever it is called. */
export const IGNORE_FILE = ".gitignore";

/** Makes the folders of an account. @throws CannotStart if the disk does not let it. */
export const makeFolders = (dir: string): void =>
  inFolder(dir, () => {
    const isAlone = isEmpty(dir);
    makeFolder(dir);
    // Where somebody works, more of theirs will come.
    if (isAlone && path.resolve(dir) !== process.cwd()) ignoreAll(dir);
    for (const name of [ASSETS_FOLDER, DATA_FOLDER]) ownFolder(path.join(dir, name));
  });

/** Whether there is nothing in a folder, or no such folder. */
export const isEmpty = (folder: string): boolean => !existsSync(folder) || readdirSync(folder).length === 0;

/** Has git ignore a folder. Only for one that had nothing in it: the rest may be somebody's own. */
export const ignoreAll = (folder: string): void => writeFileSync(path.join(folder, IGNORE_FILE), "*\n");

/** Does `work` in the folder of an account. @throws CannotStart if the disk does not let it. */
export function inFolder<T>(dir: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const fault = faultOfDisk(error);
    if (fault === undefined) throw error;
    throw new CannotStart(`${dir} cannot be the folder of an account (${fault}). Choose another --dir.`);
  }
}

/**
 * Makes a folder that only its user may read, with those above it, one after the other: Node's `recursive` never comes
 * back from where no folder can be made, as in /proc. Returns those that it made, the outermost first.
 */
export function makeFolder(folder: string): string[] {
  const made: string[] = [];
  try {
    for (const level of missing(folder)) {
      mkdirSync(level, { mode: 0o700 });
      made.push(level);
    }
  } catch (error) {
    removeFolders(made);
    throw error;
  }
  return made;
}

/** Checks that a folder can be made, and leaves none. @throws the error of the disk. */
export const checkFolder = (folder: string): void => removeFolders(makeFolder(folder));

/** What must be made for a folder to be there, the outermost first. */
function missing(folder: string): string[] {
  if (existsSync(folder) && statSync(folder).isDirectory()) return [];
  const parent = path.dirname(folder);
  return [...(existsSync(parent) ? [] : missing(parent)), folder];
}

function removeFolders(made: readonly string[]): void {
  for (const folder of made.toReversed()) rmdirSync(folder);
}

/** The first folder of an account's data that has something in it. @throws the error of the disk. */
export const dataIn = (dir: string): string | undefined =>
  [ASSETS_FOLDER, DATA_FOLDER].map((name) => path.join(dir, name)).find((folder) => !isEmpty(folder));

/** Makes a folder that only its user may read, or makes one so. */
export function ownFolder(folder: string): void {
  makeFolder(folder);
  restrict(folder, 0o700);
}

/** Makes a file that only its user may read, or makes one so. SQLite gives its log the rights of the file. */
export function ownFile(file: string): void {
  closeSync(openSync(file, "a", 0o600));
  // A link may lead to a device, which is everybody's.
  if (statSync(file).isFile()) restrict(file, 0o600);
}

function restrict(file: string, mode: number): void {
  try {
    chmodSync(file, mode);
  } catch (error) {
    // Somebody else's file, which this user may write to: a volume of a container.
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) throw error;
  }
}
