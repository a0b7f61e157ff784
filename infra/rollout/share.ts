/** Sets the release's share of a stack's traffic: the one way in, for a rollout and for a person. */
import { type Changed, isAsKept, type Kept } from "../stack/kept-settings.ts";
import { settingsFile } from "../stack/settings-file.ts";
import { bringIntoForce, type Change } from "./in-force.ts";
import { shareWords, writeShare } from "./share-setting.ts";
import { TrafficTold } from "./traffic-told.ts";

interface ShareChange extends Change {
  /** What the settings said of the share when it was decided: where they say another thing by now, nothing is written. */
  readonly setting?: Kept | undefined;
}

/**
 * Writes the share (per cent; under 1 it is a trial without users) into the stack's settings, and brings it into force.
 * @throws as `bringIntoForce`
 */
export async function setShare(stack: string, dir: string, share: number, change: ShareChange): Promise<Changed> {
  const { setting, next } = change;
  const file = settingsFile(stack, dir);
  if (setting !== undefined && !isAsKept(file, setting)) {
    throw new TrafficTold(
      `Something else has set rollout or rolloutTrial in ${file} since. It is left so, and nothing was sent. ${await next("as it was")}`,
    );
  }
  const changed = writeShare(stack, dir, share);
  await bringIntoForce(stack, dir, { ...change, file, changed, said: `${shareWords(share)} in ${file}` });
  return changed;
}
