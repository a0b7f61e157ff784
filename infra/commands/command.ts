/** How a command runs and ends: the options of those on a stack, their errors, their one question. */

import { createInterface } from "node:readline/promises";
import { setImmediate } from "node:timers/promises";
import { isOfMachine } from "@durable-stack/local-account/disk";
import type { Command, Option } from "commander";
import { exitCodeOf, Interrupted, interruptionOf } from "../common/interrupted.ts";
import { refusal } from "../common/named-file.ts";
import { inFull, isUserError, UserError } from "../common/user-error.ts";
import type { PublicSettings } from "../stack/config.ts";
import { inWords } from "../stack/way-back.ts";
import { DIR } from "./options.ts";
import { areMissed, leftByNpm, takenText } from "./taken-by-npm.ts";

export interface StackCommandOptions {
  readonly stack: string;
  readonly dir: string;
}

/** A command with the options `--stack` and `--dir`. */
export const onStack = (command: Command): Command =>
  command
    .requiredOption("-s, --stack <name>", "the stack: local, staging, production…")
    .option(...DIR)
    .showHelpAfterError();

/** Runs the command line; see `failed` for how it ends when something is wrong. */
export function runCommand(command: Command): Promise<void> {
  return orFail(() => parseLine(command));
}

/**
 * Runs the command line. An option that is given twice is refused, and one that npm has taken. What goes wrong is thrown,
 * for a command that has something to say of it.
 */
export async function parseLine(command: Command): Promise<void> {
  refuseSecond(command);
  refuseTakenByNpm(command);
  await command.parseAsync();
}

/**
 * Makes a command and those below it say which of their options npm has taken for its own: those that stand before `--`.
 * It does not run without them: `npm run promote --check -- …` would promote.
 */
function refuseTakenByNpm(command: Command): void {
  tellTakenByNpm(command);
  command.hook("preAction", (_, running) => {
    const line = lineOf(running);
    const taken = takenByNpm(line);
    if (areMissed(taken)) running.error(`error: ${takenText(taken, scriptOf(line))}`);
  });
}

/** Where the command line is wrong otherwise, it is told after what is wrong. */
function tellTakenByNpm(command: Command): void {
  command.configureOutput({
    outputError: (text, write) => {
      const line = lineOf(command);
      const taken = takenByNpm(line);
      const told = takenText(taken, scriptOf(line));
      write(taken.length === 0 || text.includes(told) ? text : `${text}${told}\n`);
    },
  });
  for (const below of command.commands) tellTakenByNpm(below);
}

/** A command after those that it is below. */
const lineOf = (command: Command): readonly Command[] =>
  command.parent ? [...lineOf(command.parent), command] : [command];

/** The options of these commands that npm has taken, and that the command line does not say as well. */
const takenByNpm = (line: readonly Command[]): readonly string[] =>
  line.flatMap((command) =>
    command.options.flatMap((option) => {
      const { long, negate } = option;
      const left = long && leftByNpm(negate ? long.replace("--no-", "--") : long);
      if (!long || (negate ? left !== "" : !left) || isSaid(command, option, left)) return [];
      return [long];
    }),
  );

/** Whether the command line says of an option what npm has left of it. */
function isSaid(command: Command, option: Option, left: string | undefined): boolean {
  const name = option.attributeName();
  if (command.getOptionValueSource(name) !== "cli") return false;
  return option.isBoolean() || option.negate || String(command.getOptionValue(name)) === left;
}

/** The line that runs a command's script: `npm run keys`, `npm start`. Its name may be in a command and the one below. */
function scriptOf(line: readonly Command[]): string {
  const [npm, run, script] = line.flatMap((command) => command.name().split(" "));
  return script === "start" ? "npm start" : `${npm} ${run} ${script}`;
}

/**
 * Makes a command and those below it refuse an option that is given twice, with two values: the last one would be taken
 * without a word. One that collects its values has a list or a map as its default.
 */
function refuseSecond(command: Command): void {
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
  for (const below of command.commands) refuseSecond(below);
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
    console.error(inFull(told));
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
