/** What a pin means for a rollout: it holds the traffic, or it is a way back that no update has carried out. */
import { relative } from "node:path";
import { updateLine } from "../apply/update-line.ts";
import { type LiveWorker, readWorker } from "../plan/live.ts";
import { whyNot } from "../plan/pin.ts";
import { ROOT } from "../release/root.ts";
import type { OpenStack } from "../stack/open.ts";
import { settingsFile } from "../stack/settings-file.ts";
import { UserError } from "../stack/user-error.ts";

/** @throws UserError where the stack is pinned: with what to do first. */
export async function refusePinned({ name, settings, reads }: OpenStack, dir: string): Promise<void> {
  const { pin, workerName } = settings;
  if (pin > 0) throw new UserError(pinnedText(name, dir, pin, await readWorker(reads, workerName)));
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
  if (share === 100 || whyNot({ stack, pin, versions, rollbackFloor })) {
    return `${stack} is pinned to version ${pin}: a rollout has no effect. Release it first: npm run rollback -- --stack ${stack} --unpin`;
  }
  const file = relative(ROOT, settingsFile(stack, dir));
  return [
    `${stack} is pinned to version ${pin} (pin in ${file}), and the update that sends the traffic there is missing or has failed: version ${pin} has ${share} % of it.`,
    `Carry that out first: ${updateLine(stack, dir)}`,
    "Leave the pin in the settings until then: it is the way back.",
  ].join("\n");
}
