/** Sets the release's share of a stack's traffic: the one way in, for a rollout and for a person. */

import { update } from "../apply/update.ts";
import { updateLine } from "../apply/update-line.ts";
import { changeSetting, settingsFile } from "../stack/settings-file.ts";
import { isUserError, UserError } from "../stack/user-error.ts";

/**
 * Writes the share (per cent; under 1 it is a trial without users) into the stack's settings, and brings it into force.
 * `again`: what a person does where the update failed.
 * @throws UserError where it failed; the settings have the share.
 */
export async function setShare(stack: string, dir: string, share: number, again: string): Promise<void> {
  const file = settingsFile(stack, dir);
  writeShare(file, share);
  if (await update(stack, dir)) return;
  throw new UserError(`The update failed. rollout is ${share} in ${file}: ${again}`);
}

/**
 * Sends all traffic back to the version before. `pin`: its number, where the release has all traffic already, so that no
 * other version is beside it.
 * @throws UserError where the update failed; the settings have the way back, and the message says how it is gone.
 */
export async function goBack(stack: string, dir: string, pin: number | undefined): Promise<void> {
  const file = settingsFile(stack, dir);
  if (pin !== undefined) changeSetting(file, "pin", pin);
  writeShare(file, pin === undefined ? 0 : 100);
  const because = await update(stack, dir).then(
    (isDone) => (isDone ? undefined : "the update failed."),
    (error: unknown) => {
      if (isUserError(error)) return error.message;
      throw error;
    },
  );
  if (because === undefined) return;
  const setting = pin === undefined ? "rollout is 0" : `pin is ${pin}`;
  // A CI job keeps no file: there, the account alone says what is left to do.
  const lost =
    pin === undefined
      ? `npm run rollout -- abandon --stack ${stack}`
      : `npm run rollback -- --stack ${stack} --to ${pin}`;
  throw new UserError(
    [
      `The traffic did not go back: ${because}`,
      `${setting} in ${file}, and that is the way back: leave it there. Correct what is above, then: ${updateLine(stack, dir)}`,
      `Where that file is not kept, as in a CI job: ${lost}`,
    ].join("\n"),
  );
}

function writeShare(file: string, share: number): void {
  changeSetting(file, "rollout", share < 1 ? 0 : share);
  changeSetting(file, "rolloutTrial", share > 0 && share < 1 ? true : undefined);
}
