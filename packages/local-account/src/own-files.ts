/** The files of an account. They hold secrets, so only their user may read them, whoever has made the directory. */
import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import path from "node:path";
import { CannotStart } from "./errors.ts";

/** The state: Workers, versions, secrets, the token. SQLite keeps a log beside it. */
export const STATE_FILE = "account.db";
export const STATE_LOG = `${STATE_FILE}-wal`;
/** The folders of Workers' assets, and of the data of objects, namespaces, buckets and databases. */
export const ASSETS_FOLDER = "assets";
export const DATA_FOLDER = "data";

/** What is wrong with a disk or a path, and not with the account: the codes of Node. */
const OF_THE_DISK =
  /^(EACCES|EDQUOT|EEXIST|EINVAL|EISDIR|EIO|ELOOP|EMFILE|ENAMETOOLONG|ENOENT|ENOSPC|ENOTDIR|EPERM|EROFS|ERR_FS_CP_\w+)$/;

/** The sentence of an error that is the disk's or the path's; undefined for any other, which is a bug. */
export function faultOfDisk(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return OF_THE_DISK.test(String(error.code)) ? error.message : undefined;
}

/** Makes the folders of an account. @throws CannotStart if the disk does not let it. */
export function makeFolders(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    for (const name of [ASSETS_FOLDER, DATA_FOLDER]) ownFolder(path.join(dir, name));
  } catch (error) {
    const fault = faultOfDisk(error);
    if (fault === undefined) throw error;
    throw new CannotStart(`${dir} cannot be the folder of an account (${fault}). Choose another --dir.`);
  }
}

/** Makes a folder that only its user may read, or makes one so. */
export function ownFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  restrict(folder, 0o700);
}

/** Makes a file that only its user may read, or makes one so. SQLite gives its log the rights of the file. */
export function ownFile(file: string): void {
  closeSync(openSync(file, "a", 0o600));
  restrict(file, 0o600);
}

function restrict(file: string, mode: number): void {
  try {
    chmodSync(file, mode);
  } catch (error) {
    // Somebody else's file, which this user may write to: a volume of a container.
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) throw error;
  }
}
