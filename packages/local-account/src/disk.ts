/** What is wrong with a disk or a path, and with no program: the errors of Node and of SQLite, in words. */

/** Why a file or folder cannot be read or written, and what helps: parts of a sentence, without its end. */
export interface DiskFault {
  readonly why: string;
  readonly fix: string;
}

const ELSEWHERE = "choose another place";
const FORBIDDEN = { why: "this user may not", fix: `Give this user the right to it, or ${ELSEWHERE}` };
const FULL = { why: "the disk is full", fix: `Make room there, or ${ELSEWHERE}` };
const READ_ONLY = { why: "it may only be read", fix: `Make it writable, or ${ELSEWHERE}` };
const NO_FOLDER = {
  why: "something that is no folder is in the place of one",
  fix: `Move that away, or ${ELSEWHERE}`,
};
const BROKEN = { why: "the disk does not work", fix: `Check the disk, or ${ELSEWHERE}` };
const IN_THE_WAY = { why: "something else is in its place", fix: `Move that away, or ${ELSEWHERE}` };
const IS_FOLDER = { why: "it is a folder", fix: "Move the folder away, or name a file" };

/** By the codes of Node. */
const FAULTS: Readonly<Record<string, DiskFault>> = {
  EACCES: FORBIDDEN,
  EPERM: FORBIDDEN,
  ENOSPC: FULL,
  EDQUOT: { why: "the disk is full: this user may not have more of it", fix: FULL.fix },
  EROFS: READ_ONLY,
  ENOTDIR: NO_FOLDER,
  EEXIST: IN_THE_WAY,
  EISDIR: IS_FOLDER,
  ERR_FS_EISDIR: IS_FOLDER,
  ENOENT: { why: "there is no such file or folder", fix: "Correct the name, or make it first" },
  EINVAL: { why: "it cannot have this name, or be in this place", fix: `Correct the name, or ${ELSEWHERE}` },
  ENAMETOOLONG: { why: "its name is too long", fix: "Choose a shorter one" },
  ELOOP: { why: "its links lead back to themselves", fix: `Correct the links, or ${ELSEWHERE}` },
  EMFILE: { why: "too many files are open", fix: "Allow more (ulimit -n)" },
  EIO: BROKEN,
};

/** By the numbers of SQLite (SQLITE_IOERR and so on); those for a damaged or locked file are no fault of the disk. */
const SQLITE_FAULTS: Readonly<Record<number, DiskFault>> = {
  8: READ_ONLY,
  10: BROKEN,
  13: FULL,
  14: { why: "it cannot be opened as a file", fix: `Move away what is there, or ${ELSEWHERE}` },
};

/** What is wrong with the disk or the path; undefined for any other error, which is a bug. */
export function diskFault(error: unknown): DiskFault | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  // The lowest eight bits are what happened, the others the details.
  if ("errcode" in error && typeof error.errcode === "number") return SQLITE_FAULTS[error.errcode & 0xff];
  const code = String(error.code);
  if (Object.hasOwn(FAULTS, code)) return FAULTS[code];
  return code.startsWith("ERR_FS_CP_") ? IN_THE_WAY : undefined;
}

/** Whether an error says that the disk, or what its user may have of it, is full. */
export const isOfFullDisk = (error: unknown): boolean => diskFault(error)?.why.startsWith(FULL.why) ?? false;

/** What the Workers runtime prints that could not start because of a full disk: SQLite's words, and the system's. */
const RUNTIME_FULL = /SQLITE_FULL|No space left on device/;

/** Whether the Workers runtime did not start because a disk is full. It does not say which: that of the data, or of temporary files. */
export const isOfFullRuntime = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ERR_RUNTIME_FAILURE" && RUNTIME_FULL.test(error.message);

/** Whether the cause can only be the machine, whatever file it was: no mistake in a program fills a disk or takes a right. */
export const isOfMachine = (error: unknown): error is Error & { readonly path?: string } => {
  const fault = diskFault(error);
  // A port that this user may not have is no file.
  return fault !== undefined && [FORBIDDEN.why, READ_ONLY.why, BROKEN.why].includes(fault.why)
    ? !(error instanceof Error && "port" in error)
    : isOfFullDisk(error);
};

/** The sentence of an error that is the disk's or the path's; undefined for any other, which is a bug. */
export function faultOfDisk(error: unknown): string | undefined {
  const fault = diskFault(error);
  return fault && error instanceof Error ? `${fault.why}: ${error.message}` : undefined;
}
