/** Writes a pin into a stack's settings, or takes it out, and brings that into force: what a person reads at each end. */
import { relative } from "node:path";
import { update } from "../apply/update.ts";
import { updateLine } from "../apply/update-line.ts";
import { UserError } from "../common/user-error.ts";
import type { LiveWorker } from "../plan/live/worker.ts";
import type { Preview } from "../plan/preview/preview.ts";
import { servesAsWanted } from "../plan/traffic/split.ts";
import { trafficBefore } from "../plan/traffic/words.ts";
import { ROOT } from "../release/root.ts";
import { changed } from "../stack/kept-settings.ts";
import type { SettingKey } from "../stack/schema.ts";
import { changeSetting, settingsFile, takeOut } from "../stack/settings-file.ts";
import { backToLine, seeStatusLine, unpinLine } from "../stack/traffic-lines.ts";
import { became } from "./became.ts";
import type { ByHand } from "./by-hand.ts";
import { bringIntoForce } from "./in-force.ts";
import { asked, changedSince } from "./traffic-told.ts";

const PIN = "pin" satisfies SettingKey;

/** Whether the version with this number has all traffic. */
export const servesAlone = (number: number, { serving }: Pick<LiveWorker, "serving">): boolean =>
  serving.length === 1 && serving[0]?.number === number;

/**
 * Pins the stack to version `to`. Returns where the pin stands, in words.
 * @throws UserError where that version has not all traffic for sure: with what the settings say, and what completes it.
 */
export async function setPin({ stack, dir, live }: ByHand, to: number): Promise<string> {
  const file = settingsFile(stack, dir);
  const setting = `${PIN} in ${relative(ROOT, file)}`;
  changeSetting(file, PIN, to);
  const updated = await update(stack, dir);
  const rest = `${to} is set as ${setting}. To complete it: ${backToLine(stack, to, dir)}; to undo it: --unpin.`;
  const now = await asked(live(), (why) => {
    const ended = updated ? "The update was complete" : "The update failed";
    return `${ended}, and whether version ${to} has all traffic cannot be read: ${why}\n${rest}\nSee: ${seeStatusLine(stack, dir)}`;
  });
  const hasAll = servesAlone(to, now);
  if (updated && hasAll) return setting;
  const what = hasAll
    ? `Version ${to} has all traffic, but the update failed, so that the next one may not know of it.`
    : `Version ${to} does not have all traffic: ${updated ? "something else has changed it since" : "the update failed"}.`;
  throw new UserError(`${what} ${rest}`);
}

/** What the stack is to serve without its pin, as the person was asked. */
interface Unpinned extends Pick<Preview, "tag" | "traffic"> {
  readonly live: Pick<LiveWorker, "deployment">;
  /** Whether the CLI compares its state with the account first. */
  readonly refresh: boolean;
}

/**
 * Takes the pin out of the settings and brings that into force. It is put back where nothing came of that, as where
 * something else has changed the traffic or the release since the person was asked.
 * @throws UserError, or Interrupted, where what is to serve does not for sure: with what does, and what completes it.
 */
export async function takePinOut({ stack, dir, live }: ByHand, unpinned: Unpinned): Promise<void> {
  const { tag, traffic, refresh } = unpinned;
  const file = settingsFile(stack, dir);
  const deployment = unpinned.live.deployment?.id;
  let said = "";
  const pin = changed(file, [PIN], () => {
    said = takeOut({ stack, dir }, PIN, 0);
  });
  await bringIntoForce(stack, dir, {
    file,
    changed: pin,
    said,
    left: { deployment, tag },
    refresh,
    became: () =>
      became(live, {
        left: deployment,
        isSent: ({ serving }) => servesAsWanted(serving, tag, traffic),
        other: (now) => changedSince(stack, dir, now),
      }),
    next: async (outcome) => {
      if (outcome === "done") return "";
      const line = outcome === "as it was" ? unpinLine(stack, dir) : await lineAfterUnpin(stack, dir, live);
      return `Correct what is above, then: ${line}`;
    },
  });
  const now = await asked(
    live(),
    (why) =>
      `${said}, and the update was complete. What serves now cannot be read: ${why}\nSee: ${seeStatusLine(stack, dir)}`,
  );
  if (servesAsWanted(now.serving, tag, traffic)) return;
  throw new UserError(
    `${said}, and the update was complete. But something else has changed the traffic since, and now it is ${trafficBefore({ live: now }).join(", ") || "nobody's"}. See: ${seeStatusLine(stack, dir)}`,
  );
}

/** What completes an update without the pin: one that has ended the pin already is an update like any other. */
async function lineAfterUnpin(stack: string, dir: string, live: () => Promise<LiveWorker>): Promise<string> {
  return live().then(
    ({ pinned }) => (pinned === undefined ? updateLine(stack, dir) : unpinLine(stack, dir)),
    () => unpinLine(stack, dir),
  );
}
