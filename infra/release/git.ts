/** Asks git. */
import { execFileSync } from "node:child_process";
import { codeOf } from "../common/errors.ts";
import { interruptionOf } from "../common/interrupted.ts";
import { UserError } from "../common/user-error.ts";

/** What git says in a folder, in English. @throws Error with what it said as `stderr`. */
export const gitIn = (cwd: string, ...args: readonly string[]): string =>
  execFileSync("git", args, {
    cwd,
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: Number.POSITIVE_INFINITY,
  });

/** What a program that failed has said of it, or else the error itself. */
export const wordsOf = (error: unknown): string =>
  error instanceof Error && "stderr" in error && error.stderr ? String(error.stderr).trim() : String(error);

/** Whether there is no git. */
export const isWithoutGit = (error: unknown): boolean => codeOf(error) === "ENOENT";

/** Whether git finds no repository, or there is no git. */
export const isWithoutRepository = (error: unknown): boolean =>
  isWithoutGit(error) || /not a git repository/.test(wordsOf(error));

const split = (said: string, args: readonly string[]): readonly string[] =>
  said.split(args.includes("-z") ? "\0" : "\n").filter((line) => line !== "");

/** What git says in a folder, a line each, or with `-z` a path each as it is; undefined where it has no answer. */
export function linesOfGit(cwd: string, ...args: readonly string[]): readonly string[] | undefined {
  try {
    return split(gitIn(cwd, ...args), args);
  } catch {
    return undefined;
  }
}

/**
 * The same of what a command is decided on; undefined where there is no repository, or no git.
 * @throws UserError where git has no answer for another reason, as in a folder that is another user's.
 */
export function knownToGit(cwd: string, ...args: readonly string[]): readonly string[] | undefined {
  try {
    return split(gitIn(cwd, ...args), args);
  } catch (error) {
    if (isWithoutRepository(error)) return undefined;
    if (interruptionOf(error) !== undefined) throw error;
    throw new UserError(`Nothing was changed: git does not say what it has in ${cwd}.\n${wordsOf(error)}`, {
      cause: error,
    });
  }
}
