/**
 * Files that a person names at the command line, or keeps in the project: where one cannot be read or written, that is
 * for the person.
 */
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { UserError } from "./user-error.ts";

/** The text of a file. @throws UserError where it cannot be read. */
export const readNamed = (file: string): string => attempt(file, "read", () => readFileSync(file, "utf8"));

/** The bytes of a file. @throws UserError where it cannot be read. */
export const readNamedBytes = (file: string): Uint8Array => attempt(file, "read", () => readFileSync(file));

/** The names of the files in a folder, sorted. @throws UserError where it cannot be read. */
export const namesIn = (folder: string): readonly string[] => attempt(folder, "read", () => readdirSync(folder).sort());

/** Writes a file, over one that is there. @throws UserError where it cannot be written. */
export const writeNamed = (file: string, contents: string | Uint8Array): void =>
  attempt(file, "written", () => writeFileSync(file, contents));

/**
 * For a file that is written at the end of long work: whether it could be, before the work. It changes nothing.
 * @throws UserError where it could not be written.
 */
export function mustBeWritable(file: string): void {
  const there = existsSync(file);
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

/** Does work on a file or folder. @throws UserError where the system refuses it. */
export function attempt<T>(file: string, what: "read" | "written", work: () => T): T {
  try {
    return work();
  } catch (error) {
    // What the system refuses has the name of its call; all else is a bug.
    if (error instanceof Error && "syscall" in error) {
      throw new UserError(`${file} cannot be ${what}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}
