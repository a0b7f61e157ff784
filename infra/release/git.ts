/** Asks git. */
import { execFileSync } from "node:child_process";

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
export const isWithoutGit = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";
