/** Brings a stack's changed settings into force, by whatever deployed it: the Pulumi CLI, or `npm start`. */
import { resolve } from "node:path";
import { saying } from "../common/interrupted.ts";
import { isUserError } from "../common/user-error.ts";
import { ROOT } from "../release/root.ts";
import { localAccount } from "../stack/account.ts";
import { LOCAL } from "../stack/project.ts";
import { isApplied } from "../stack/settings-file.ts";
import { seeStatusLine } from "../stack/traffic-lines.ts";
import { ApplyFailed } from "./apply.ts";
import { applyHere } from "./apply-here.ts";
import { outlive } from "./foreground.ts";
import { onCli } from "./on-cli.ts";
import { failedLine, updateLine } from "./update-line.ts";

export interface UpdateOptions {
  /** Whether `npm start` deployed it; what it has left says so when not given. */
  readonly here?: boolean;
  /** Whether the CLI compares its state with the account first; `npm start` always does. */
  readonly refresh?: boolean;
  /** What a person does after an interruption, where that is another thing than an update; undefined: the caller says it. */
  readonly next?: (isDone: boolean) => string | undefined;
}

/**
 * Updates the stack in this terminal; whether it succeeded. Why it did not has been printed.
 * @throws Interrupted after the update's end, where a signal asked for it: with what is true then, and what to do.
 */
export async function update(
  stack: string,
  dir: string,
  { here = stack === LOCAL && isApplied(dir), refresh = false, next }: UpdateOptions = {},
): Promise<boolean> {
  return saying((isDone) => interruptedText(stack, dir, isDone, next), here ? apply(dir) : byCli(stack, dir, refresh));
}

/** What to tell a person after a signal came in the middle of an update. */
export function interruptedText(
  stack: string,
  dir: string,
  isDone: boolean,
  next: (isDone: boolean) => string | undefined = () =>
    `${isDone ? "What is left, if anything" : "To complete it"}: ${updateLine(stack, dir)}`,
): string {
  const last = next(isDone);
  return [
    isDone
      ? `\nInterrupted. The update of ${stack} was complete all the same.`
      : `\nInterrupted. The update of ${stack} has ended before it was complete: what it had done by then is in force.`,
    `What serves now: ${seeStatusLine(stack, dir)}`,
    ...(last === undefined ? [] : [last]),
  ].join("\n");
}

async function byCli(stack: string, dir: string, refresh: boolean): Promise<boolean> {
  try {
    const code = await onCli(["up", "--yes", "--skip-preview", ...(refresh ? ["--refresh"] : [])], stack, dir);
    // The backend of the stack local is its account's own, and `pulumi cancel` does not find it.
    const failed = code === 0 || stack === LOCAL ? undefined : failedLine(stack, code);
    if (failed !== undefined) console.error(failed);
    return code === 0;
  } catch (error) {
    if (!isUserError(error)) throw error;
    console.error(error.message);
    return false;
  }
}

async function apply(dir: string): Promise<boolean> {
  const stop = new AbortController();
  const work = async () => {
    try {
      await applyHere(resolve(ROOT, dir), localAccount(dir), (line) => console.error(line), stop.signal);
      return true;
    } catch (error) {
      if (!(error instanceof ApplyFailed)) throw error;
      console.error(error.message);
      return false;
    }
  };
  return outlive(
    work,
    () => stop.abort(),
    (isDone) => isDone,
  );
}
