/** What a pin means for a rollout: it holds the traffic, or it is a way back that no update has carried out. */
import { relative } from "node:path";
import { updateLine } from "../apply/update-line.ts";
import { UserError } from "../common/user-error.ts";
import { type LiveWorker, readWorker } from "../plan/live/worker.ts";
import { whyNot } from "../plan/traffic/pin.ts";
import { ROOT } from "../release/root.ts";
import type { OpenStack } from "../stack/open.ts";
import { settingsFile } from "../stack/settings-file.ts";
import { backToLine, unpinLine } from "../stack/traffic-lines.ts";

/**
 * Reads the Worker of a stack that is not pinned.
 * @throws UserError where it is, by its settings or by what the account says of another checkout's: with what to do first.
 */
export async function refusePinned({ name, settings, reads }: OpenStack, dir: string): Promise<LiveWorker> {
  const { pin, workerName } = settings;
  const live = await readWorker(reads, workerName);
  const text = pin > 0 ? pinnedText(name, dir, pin, live) : pinnedElsewhereText(name, dir, live);
  if (text !== undefined) throw new UserError(text);
  return live;
}

/**
 * Why a stack that another checkout has pinned takes nothing that would end the pin; undefined: none has, or it was a
 * rollout on its way back from a release that is refused from then on.
 */
export function pinnedElsewhereText(
  stack: string,
  dir: string,
  {
    pinned: pin,
    pinIsWayBack,
    serving,
    versions,
    rollbackFloor,
  }: Pick<LiveWorker, "pinned" | "pinIsWayBack" | "serving" | "versions" | "rollbackFloor">,
): string | undefined {
  if (pin === undefined || pinIsWayBack) return undefined;
  const hold = `To stay there: take over the settings of whoever rolled back (they are to be committed, and pulled here), or: ${backToLine(stack, pin, dir)}`;
  return [
    `The account says that ${stack} is pinned to version ${pin}, as a rollback leaves it, and these settings have no pin: this would end it. Nothing was changed.`,
    ...(whyNot({ stack, pin, serving, versions, rollbackFloor }) ? [] : [hold]),
    `To end it: ${unpinLine(stack, dir)}`,
  ].join("\n");
}

/** Why a stack that is pinned takes no rollout, and what to do. */
export function pinnedText(
  stack: string,
  dir: string,
  pin: number,
  { serving, versions, rollbackFloor }: Pick<LiveWorker, "serving" | "versions" | "rollbackFloor">,
): string {
  const share = serving.find(({ number }) => number === pin)?.percentage ?? 0;
  // A pin that cannot be carried out saves nobody.
  if (share === 100 || whyNot({ stack, pin, serving, versions, rollbackFloor })) {
    return `${stack} is pinned to version ${pin}: a rollout has no effect. End the pin first: ${unpinLine(stack, dir)}`;
  }
  const file = relative(ROOT, settingsFile(stack, dir));
  return [
    `${stack} is pinned to version ${pin} (pin in ${file}), and the update that sends the traffic there is missing or has failed: version ${pin} has ${share} % of it.`,
    `Carry that out first: ${updateLine(stack, dir)}`,
    "Leave the pin in the settings until then: it is the way back.",
  ].join("\n");
}
