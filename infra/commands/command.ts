/** What the commands on a stack share: their options, their errors, their one question. */

import { createInterface } from "node:readline/promises";
import { setImmediate } from "node:timers/promises";
import { isOfMachine } from "@durable-stack/local-account/disk";
import { type Command, InvalidArgumentError } from "commander";
import { DEFAULT_DIR } from "../apply/hints.ts";
import { exitCodeOf, Interrupted, interruptionOf } from "../common/interrupted.ts";
import { refusal } from "../common/named-file.ts";
import { isUserError, UserError } from "../common/user-error.ts";
import type { PublicSettings } from "../stack/config.ts";
import { inWords } from "../stack/way-back.ts";

export interface StackCommandOptions {
  readonly stack: string;
  readonly dir: string;
}

/** A command with the options `--stack` and `--dir`. */
export const onStack = (command: Command): Command =>
  command
    .requiredOption("-s, --stack <name>", "the stack: local, staging, production…")
    .option("--dir <folder>", "where the local account keeps its state; for the stack local", folder, DEFAULT_DIR)
    .showHelpAfterError();

/** Runs the command line; see `failed` for how it ends when something is wrong. */
export const runCommand = (command: Command): Promise<void> => orFail(() => refusingSecond(command).parseAsync());

/**
 * Makes a command and those below it refuse an option that is given twice, with two values: the last one would be taken
 * without a word. One that collects its values has a list or a map as its default.
 */
export function refusingSecond(command: Command): Command {
  for (const option of command.options) {
    if (option.isBoolean() || typeof option.defaultValue === "object") continue;
    let before: string | undefined;
    command.on(`option:${option.name()}`, (value: string) => {
      if (before !== undefined && before !== value) {
        command.error(`error: option '${option.flags}' is given twice, with two values. Give it once.`);
      }
      before = value;
    });
  }
  for (const below of command.commands) refusingSecond(below);
  return command;
}

/** Runs a command's work; see `failed` for how it ends when something is wrong. */
export async function orFail(work: () => Promise<unknown>): Promise<void> {
  outliveOutput();
  try {
    await work();
  } catch (error) {
    // In a terminal all get Ctrl-C: that it has ended a program that we use may be known before our own listeners hear of
    // it. They do in the next turn of the event loop, which the second wait is at the end of.
    await setImmediate();
    await setImmediate();
    failed(error);
  }
}

/**
 * A reader that has enough (`| head -1`), a terminal that was closed, or a full disk under a log is no reason to end in
 * the middle of an apply: the rest is not printed. Where the disk is why, that is told, and the exit code is not 0.
 */
function outliveOutput(): void {
  for (const [stream, name] of [
    [process.stdout, "Standard output"],
    [process.stderr, "Standard error"],
  ] as const) {
    let isTold = false;
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE" || error.code === "EIO") return;
      const told = isOfMachine(error) ? refusal(name, "written", error) : undefined;
      if (told === undefined) throw error;
      // Each line that is printed fails anew.
      if (isTold) return;
      isTold = true;
      if (stream === process.stdout) console.error(`${told.message} What the command does goes on.`);
      process.once("exit", () => {
        process.exitCode ||= 1;
      });
    });
  }
}

/** The exit code of a bug (EX_SOFTWARE of sysexits.h). */
const BUG = 70;

/**
 * Ends the command: what a person can mend is one message, with exit code 1; a bug shows its stack, with 70. After
 * Ctrl-C it tells what was interrupted, where that is known.
 */
export function failed(error: unknown): void {
  const signal = interruptionOf(error);
  if (signal !== undefined) {
    if (error instanceof Interrupted && error.message !== "") console.error(error.message);
    process.exitCode = exitCodeOf(signal);
    return;
  }
  const told = isUserError(error) ? error : ofMachine(error);
  if (told) {
    console.error(told.message);
    process.exitCode = 1;
    return;
  }
  console.error(error);
  console.error("\nThis is a bug of the command, and no mistake of yours. Please report it with the lines above.");
  process.exitCode = BUG;
}

/** What the machine refused of a file that no command has looked at; undefined for a bug. */
const ofMachine = (error: unknown): UserError | undefined =>
  isOfMachine(error) ? refusal(error.path ?? "A file", "written or read", error) : undefined;

const UNCHANGED = "Nothing was changed.";

/**
 * Asks before `what` is done. @throws UserError when the answer is no, or nobody is there to answer; Interrupted where
 * the answer is Ctrl-C or Ctrl-D.
 */
export async function confirm(what: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) throw new UserError(`${what}: nobody is there to confirm it. Add --yes.`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${what}? [y/N] `).catch((error: unknown) => {
    // In a question the terminal sends no signal: Node reads the key, and ends the question.
    if (error instanceof Error && error.name === "AbortError") throw new Interrupted("SIGINT", false, `\n${UNCHANGED}`);
    throw error;
  });
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new UserError(UNCHANGED);
}

/** Says which mistakes in the settings did not stop a way back. */
export function tellPassedOver({ wrong }: Pick<PublicSettings, "wrong">): void {
  for (const one of wrong) console.error(`warning: not needed here, and passed over: ${inWords(one)}`);
}

/** How long ago `then` was: `5 min`, `3 h`, `12 d`. */
export function age(then: string | undefined, now: number): string {
  const minutes = (now - Date.parse(then ?? "")) / 60_000;
  if (Number.isNaN(minutes)) return "";
  if (minutes < 120) return `${Math.max(0, Math.round(minutes))} min`;
  return minutes < 48 * 60 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1_440)} d`;
}

/** An option that is a folder. An empty one would be the project's own. */
export function folder(name: string): string {
  if (name.trim() !== "") return name;
  throw new InvalidArgumentError("It must name a folder.");
}

/** An option that is a whole number, in decimal digits. `more` says what else is to know of it. */
export const wholeNumber =
  (least: number, most: number, more = "") =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}${more}.`);
  };

/** An option that is a port. */
export const port = wholeNumber(0, 65_535, "; 0 takes a free one");

/** An option that is an address. */
export function httpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return url;
  throw new InvalidArgumentError("It must be a URL that begins with http:// or https://.");
}

/** An option that says where a Worker answers: it is asked from its root on. */
export function workerUrl(text: string): URL {
  const url = httpUrl(text);
  if (url.href === `${url.origin}/`) return url;
  throw new InvalidArgumentError(
    `It must be where the Worker's paths begin, without a user, a path, a query or a fragment: ${url.origin}`,
  );
}
