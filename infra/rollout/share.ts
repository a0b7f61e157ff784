/** Sets the release's share of a stack's traffic: the one way in, for a rollout and for a person. */

import { update } from "../apply/update.ts";
import { updateLine } from "../apply/update-line.ts";
import { Interrupted } from "../stack/interrupted.ts";
import { openStack } from "../stack/open.ts";
import { changeSetting, settingsFile } from "../stack/settings-file.ts";
import { isUserError, UserError } from "../stack/user-error.ts";
import { LEAST_SHARE } from "./steps.ts";

/** An error whose message says where the traffic is, and what to do about it. */
export class TrafficTold extends UserError {
  override readonly name = "TrafficTold";
}

/**
 * Writes the share (per cent; under 1 it is a trial without users) into the stack's settings, and brings it into force.
 * `again`: what a person does where the update failed.
 * @throws TrafficTold where it failed; the settings have the share.
 */
export async function setShare(stack: string, dir: string, share: number, again: string): Promise<void> {
  const file = settingsFile(stack, dir);
  writeShare(file, share);
  const because = await failureOf(stack, dir);
  if (because !== undefined) throw new TrafficTold(`${because} rollout is ${share} in ${file}: ${again}`);
}

/**
 * The same for a person, who may meet an update that is under way, such as a step of `rollout run`. Where the update
 * changed nothing, the settings say again what they said: else the next update would send the traffic where nobody
 * thinks of any more. `deployment` asks which deployment is in force.
 * @throws TrafficTold where it failed: with what the settings say.
 */
export async function changeShare(
  stack: string,
  dir: string,
  share: number,
  deployment: () => Promise<string | undefined>,
): Promise<void> {
  const file = settingsFile(stack, dir);
  const before = await deployment();
  // Read only now: whoever was asked may have taken their time.
  const { rollout, rolloutTrial } = openStack(stack, { dir }).settings;
  writeShare(file, share);
  const because = await failureOf(stack, dir);
  if (because === undefined) return;
  const isSame = await deployment().then(
    (now) => now === before,
    () => false,
  );
  if (!isSame) {
    throw new TrafficTold(
      `${because} rollout is ${share} in ${file}, and the traffic may be another: npm run rollout -- status --stack ${stack}\nRun the same command again to complete it.`,
    );
  }
  writeShare(file, rolloutTrial && rollout === 0 ? LEAST_SHARE : rollout);
  throw new TrafficTold(
    `${because} The traffic is as it was, and so is the setting: rollout is ${rollout} in ${file}. Where another update is under way, such as a step of a rollout, stop that or wait for its end; then run the same command again.`,
  );
}

/** Why the update failed, as a sentence; undefined: it did not. */
async function failureOf(stack: string, dir: string): Promise<string | undefined> {
  try {
    return (await update(stack, dir)) ? undefined : "The update failed.";
  } catch (error) {
    if (isUserError(error)) return `The update failed: ${error.message}`;
    throw error;
  }
}

/** The way back from a release. */
export interface Way {
  /** The number of the version before, where the release has all traffic already, so that no other is beside it. */
  readonly pin: number | undefined;
  /** Per cent of the traffic that the release has. */
  readonly share: number;
  /** Refuses the release in the settings. Where that fails, the traffic goes back all the same. */
  readonly refuse?: () => void;
}

/**
 * Sends all traffic back to the version before. Returns why the release could not be refused, where it could not.
 * @throws TrafficTold where the traffic did not go back, or Interrupted; the message says how it does. The settings have
 * the way back, unless they could not be written.
 */
export async function goBack(stack: string, dir: string, { pin, share, refuse }: Way): Promise<string | undefined> {
  const file = settingsFile(stack, dir);
  let untold: string | undefined;
  let isWritten = false;
  const failure = await (async () => {
    if (pin !== undefined) changeSetting(file, "pin", pin);
    writeShare(file, pin === undefined ? 0 : 100);
    isWritten = true;
    untold = attempted(() => refuse?.());
    return (await update(stack, dir)) ? undefined : new UserError("the update failed.");
  })().catch((error: unknown) => error);
  if (failure === undefined) return untold;
  const setting = pin === undefined ? "rollout is 0" : `pin is ${pin}`;
  if (failure instanceof Interrupted) {
    const kept = `${setting} in ${file}, and that is the way back: leave it there.`;
    throw new Interrupted(failure.signal, failure.isDone, `${failure.message}\n${kept}`);
  }
  const because = failure instanceof Error ? failure.message : String(failure);
  // A CI job keeps no file: there, the account alone says what is left to do.
  const anew =
    pin === undefined
      ? `npm run rollout -- abandon --stack ${stack}`
      : `npm run rollback -- --stack ${stack} --to ${pin}`;
  const rest = isWritten
    ? [
        `${setting} in ${file}, and that is the way back: leave it there. Correct what is above, then: ${updateLine(stack, dir)}`,
        `Where that file is not kept, as in a CI job: ${anew}`,
      ]
    : [`The release has ${share} % of it. Correct what is above, then: ${anew}`];
  const text = [`The traffic did not go back: ${because}`, ...rest].join("\n");
  throw isUserError(failure) ? new TrafficTold(text, { cause: failure }) : new Error(text, { cause: failure });
}

/** Why `work` failed; undefined: it did not. */
function attempted(work: () => void): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof Error) return error.message;
    throw error;
  }
}

function writeShare(file: string, share: number): void {
  changeSetting(file, "rollout", share < 1 ? 0 : share);
  changeSetting(file, "rolloutTrial", share > 0 && share < 1 ? true : undefined);
}
