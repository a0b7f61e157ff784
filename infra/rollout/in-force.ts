/** Brings a changed setting of the traffic into force. Where nothing came of it, the setting says again what it said. */
import { update } from "../apply/update.ts";
import { Interrupted } from "../common/interrupted.ts";
import { isUserError } from "../common/user-error.ts";
import type { Changed } from "../stack/kept-settings.ts";
import { seeStatusLine } from "../stack/traffic-lines.ts";
import { type AsLeft, updateAsLeft } from "./as-left.ts";
import type { Became } from "./became.ts";
import { TrafficTold } from "./traffic-told.ts";

/** How the traffic stands after an update that failed, or was interrupted; `done`: it was complete all the same. */
export type Outcome = "as it was" | "may have moved" | "done";

export interface Change {
  /** What the change was decided by: where that is another by now, nothing is sent. */
  readonly left?: AsLeft | undefined;
  /** Asked after a failure. */
  readonly became?: () => Promise<Became>;
  /** What a person does next, in sentences; empty: nothing is left to do. */
  readonly next: (outcome: Outcome) => string | Promise<string>;
}

/** A change that is in the settings by now. */
interface Written extends Change {
  readonly file: string;
  readonly changed: Changed;
  /** What the settings say since, in words. */
  readonly said: string;
  /** Whether the CLI compares its state with the account first. */
  readonly refresh?: boolean;
}

const AS_FOUND: AsLeft = { deployment: undefined, tag: undefined };

/**
 * Updates the stack.
 * @throws Interrupted with what to do, or TrafficTold where it failed. The settings are put back where the traffic is as it
 * was, or something else has changed it: else the next update would send it where nobody thinks of any more.
 */
export async function bringIntoForce(stack: string, dir: string, written: Written): Promise<void> {
  const { left = AS_FOUND, next, refresh = false } = written;
  const failure = await updateAsLeft(left, () => failureOf(stack, dir, refresh));
  if (failure === undefined) return;
  const isDone = failure instanceof Interrupted && failure.isDone;
  const became = isDone ? undefined : await written.became?.();
  const told = isDone ? await next("done") : await toldOf(became, written);
  if (failure instanceof Interrupted) {
    // Its message says where to see what serves.
    throw new Interrupted(failure.signal, isDone, told === "" ? failure.message : `${failure.message}\n${told}`);
  }
  if (became instanceof TrafficTold) throw became;
  throw new TrafficTold(`${failure} ${told}${became === undefined ? `\nSee: ${seeStatusLine(stack, dir)}` : ""}`);
}

/** Puts the settings back where that is due, and says how they and the traffic stand, and what comes next. */
async function toldOf(became: Became, { changed, file, said, next }: Written): Promise<string> {
  if (became === undefined) return `${said}, and the traffic may be another.\n${await next("may have moved")}`;
  const isBack = changed.putBack();
  if (became instanceof TrafficTold) return became.message;
  const settings = isBack ? `and so are the settings in ${file}` : `and something else has changed ${file} since`;
  return `The traffic is as it was, ${settings}. ${await next("as it was")}`;
}

/** Why the update failed, as a sentence, or that it was interrupted; undefined: it did not. */
async function failureOf(stack: string, dir: string, refresh: boolean): Promise<string | Interrupted | undefined> {
  try {
    return (await update(stack, dir, { refresh, next: () => undefined })) ? undefined : "The update failed.";
  } catch (error) {
    if (error instanceof Interrupted) return error;
    if (isUserError(error)) return `The update failed: ${error.message}`;
    throw error;
  }
}
