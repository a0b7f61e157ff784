/**
 * Files that a person names at the command line, or keeps in the project: where one cannot be read or written, that is
 * for the person.
 */
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { diskFault } from "@durable-stack/local-account/disk";
import { codeOf } from "./errors.ts";
import { UserError } from "./user-error.ts";

/** The text of a file. @throws UserError where it cannot be read. */
export const readNamed = (file: string): string => attempt(file, "read", () => readFileSync(file, "utf8"));

/** The text of a file; undefined where there is none. @throws UserError where there may be one that cannot be read. */
export const readIfThere = (file: string): string | undefined =>
  attempt(file, "read", () => {
    try {
      return readFileSync(file, "utf8");
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
  });

/** The bytes of a file. @throws UserError where it cannot be read. */
export const readNamedBytes = (file: string): Uint8Array => attempt(file, "read", () => readFileSync(file));

/** The names of the files in a folder, sorted. @throws UserError where it cannot be read. */
export const namesIn = (folder: string): readonly string[] => attempt(folder, "read", () => readdirSync(folder).sort());

/**
 * Writes a file, over one that is there, which stays whole where the disk is full or the process is killed. A new one is
 * there whole, or not at all.
 * @throws UserError where it cannot be written.
 */
export const writeNamed = (file: string, contents: string | Uint8Array, mode?: number): void =>
  attempt(file, "written", () => {
    const old = statSync(file, { throwIfNoEntry: false });
    if (old) accessSync(file, constants.W_OK);
    if (old && isOurs(old) && replaced(realpathSync(file), contents, mode ?? old.mode)) return;
    try {
      writeFileSync(file, contents, mode === undefined ? undefined : { mode });
    } catch (error) {
      // Half a file would be taken for a whole one. A link's target is not ours to remove.
      if (!old && lstatSync(file, { throwIfNoEntry: false })?.isFile()) rmSync(file, { force: true });
      throw error;
    }
  });

/** Whether another file can take a file's place without anybody noticing: no device, no second name, nobody else's. */
const isOurs = (file: Stats): boolean =>
  file.isFile() && file.nlink === 1 && (process.getuid === undefined || file.uid === process.getuid());

/** What no other way to write would mend: the disk is full, or broken. */
const OF_DISK: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG", "EIO"]);

/** Puts a new file in the place of a file; false where that cannot be here, as in a folder that is not ours. */
function replaced(file: string, contents: string | Uint8Array, mode: number): boolean {
  const next = `${file}.${process.pid}.next`;
  try {
    // From its first byte on, nobody reads it who may not read the old one.
    writeFileSync(next, contents, { flush: true, mode: mode & 0o777 });
    chmodSync(next, mode & 0o777);
    renameSync(next, file);
    return true;
  } catch (error) {
    rmSync(next, { force: true });
    if (OF_DISK.has(codeOf(error) ?? "")) throw error;
    return false;
  }
}

/**
 * For a file that is written at the end of long work: whether it could be, before the work. It changes nothing.
 * @throws UserError where it could not be written.
 */
export function mustBeWritable(file: string): void {
  if (file === "") throw new UserError('"" cannot be written: it names no file. Name one.');
  // A name that no file can have is refused here, too.
  const there = attempt(file, "written", () => statSync(file, { throwIfNoEntry: false }) !== undefined);
  const folder = dirname(file);
  const isFolder = attempt(file, "written", () => {
    accessSync(there ? file : folder, constants.W_OK);
    return there && statSync(file).isDirectory();
  });
  if (isFolder) throw new UserError(`${file} cannot be written: it is a folder. Name a file.`);
  if (!there && !statSync(folder).isDirectory()) {
    throw new UserError(`${file} cannot be written: ${folder} is not a folder.`);
  }
}

/** What was wanted of a file. */
type Wanted = "read" | "written" | "written or read";

/** Does work on a file or folder. @throws UserError where the system refuses it. */
export function attempt<T>(file: string, what: Wanted, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw refusal(file, what, error) ?? error;
  }
}

/** For the person, what the system refused of a file or folder; undefined for any other error, which is a bug. */
export function refusal(file: string, what: Wanted, error: unknown): UserError | undefined {
  if (!(error instanceof Error)) return undefined;
  const fault = diskFault(error);
  // What the system refuses has the name of its call, also where its code is a rare one.
  if (!fault && !("syscall" in error)) return undefined;
  const said = short(error.message);
  const why = fault ? `${fault.why} (${said}). ${fault.fix}.` : `${said}.`;
  return new UserError(`${short(file) || '""'} cannot be ${what}: ${why}`, { cause: error });
}

/** As much of a name as a person reads. */
const short = (text: string): string => (text.length > 500 ? `${text.slice(0, 60)}…` : text);

/** Makes a folder with all above it. @throws UserError where it cannot be made. */
export const makeFolder = (folder: string): void =>
  attempt(folder, "written", () => {
    for (const level of missing(resolve(folder))) makeLevel(level);
    // Refuses what is no folder.
    mkdirSync(folder, { recursive: true });
  });

/** The folders that are not there, the outermost first: Node's `recursive` never comes back from /proc. */
function missing(folder: string): readonly string[] {
  return existsSync(folder) ? [] : [...missing(dirname(folder)), folder];
}

/** Makes a folder, unless somebody else just has. */
function makeLevel(folder: string): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
}

/** Removes a file or a folder with all in it; one that is not there is no error. @throws UserError where it cannot be. */
export const removeNamed = (file: string): void =>
  attempt(file, "written", () => rmSync(file, { recursive: true, force: true }));

/** A new folder for what is only needed meanwhile. @throws UserError where none can be made. */
export const temporaryFolder = (prefix: string): string =>
  attempt(tmpdir(), "written", () => realpathSync(mkdtempSync(join(tmpdir(), prefix))));
