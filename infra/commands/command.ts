/** What the commands on a stack share: their options, their errors, their one question. */
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";

/** Why a command did nothing: a line for a person. */
export class Refused extends Error {}

export interface StackCommandOptions {
  readonly stack: string;
  readonly dir: string;
}

/** A command with the options `--stack` and `--dir`. */
export const onStack = (command: Command): Command =>
  command
    .requiredOption("-s, --stack <name>", "the stack: local, staging, production…")
    .option("--dir <folder>", "where the local account keeps its state; for the stack local", ".local")
    .showHelpAfterError();

/** Runs the command line. What was refused is one message on stderr, and exit code 1. */
export async function runCommand(command: Command): Promise<void> {
  try {
    await command.parseAsync();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

/** Asks before `what` is done. @throws Refused when the answer is no, or nobody is there to answer. */
export async function confirm(what: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) throw new Refused(`${what}: nobody is there to confirm it. Add --yes.`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${what}? [y/N] `);
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new Refused("Nothing was changed.");
}

/** Lines of cells, each column as wide as its widest cell. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** How long ago `then` was: `5 min`, `3 h`, `12 d`. */
export function age(then: string | undefined, now: number): string {
  const minutes = (now - Date.parse(then ?? "")) / 60_000;
  if (Number.isNaN(minutes)) return "";
  if (minutes < 120) return `${Math.max(0, Math.round(minutes))} min`;
  return minutes < 48 * 60 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1_440)} d`;
}
