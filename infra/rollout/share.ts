/** Sets the release's share of a stack's traffic: the one way in, for a rollout and for a person. */
import { update } from "../apply/update.ts";
import { changeSetting, settingsFile } from "../stack/settings-file.ts";
import { UserError } from "../stack/user-error.ts";

/**
 * Writes the share (per cent; under 1 it is a trial without users) into the stack's settings, and brings it into force.
 * `again`: what a person does where the update failed.
 * @throws UserError where it failed; the settings have the share.
 */
export async function setShare(stack: string, dir: string, share: number, again: string): Promise<void> {
  const file = settingsFile(stack, dir);
  changeSetting(file, "rollout", share < 1 ? 0 : share);
  changeSetting(file, "rolloutTrial", share > 0 && share < 1 ? true : undefined);
  if (await update(stack, dir)) return;
  throw new UserError(`The update failed. rollout is ${share} in ${file}: ${again}`);
}
