/** How a stack's settings say the share of its release: `rollout`, and `rolloutTrial` where that is less than 1 %. */
import { type Changed, changed, type Kept, keptIn } from "../stack/kept-settings.ts";
import type { SettingKey } from "../stack/schema.ts";
import { changeSetting, settingsFile, takeOut } from "../stack/settings-file.ts";

const KEYS = ["rollout", "rolloutTrial"] as const satisfies readonly SettingKey[];

/** What is under 1, and more than nothing, is a trial without users. */
const settingsOf = (share: number) => ({
  rollout: share < 1 ? 0 : share,
  rolloutTrial: share > 0 && share < 1 ? true : undefined,
});

/** What a stack's file says of the share now. */
export const keptShare = (stack: string, dir: string): Kept => keptIn(settingsFile(stack, dir), KEYS);

/** Whether the settings say a share: then somebody has decided it. */
export const isShareDecided = (stack: string, dir: string): boolean =>
  keptIn(settingsFile(stack, dir), ["rollout"]).some(([, share]) => share !== undefined);

/** Writes the share (per cent) into the stack's settings. */
export function writeShare(stack: string, dir: string, share: number): Changed {
  const file = settingsFile(stack, dir);
  const { rollout, rolloutTrial } = settingsOf(share);
  return changed(file, KEYS, () => {
    changeSetting(file, "rollout", rollout);
    if (rolloutTrial === undefined) takeOut({ stack, dir }, "rolloutTrial", false);
    else changeSetting(file, "rolloutTrial", rolloutTrial);
  });
}

/** What `writeShare` has written, in words. */
export function shareWords(share: number): string {
  const { rollout, rolloutTrial } = settingsOf(share);
  return `rollout is ${rollout}${rolloutTrial ? " and rolloutTrial is true" : ""}`;
}
