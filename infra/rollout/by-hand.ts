/** What a person changes of a stack's traffic, such as a release's share: what they were asked is done, or nothing. */
import { updateLine } from "../apply/update-line.ts";
import { type LiveWorker, readWorker } from "../plan/live/worker.ts";
import { sharesOf } from "../plan/traffic/words.ts";
import type { OpenStack } from "../stack/open.ts";
import { backLine, seeStatusLine } from "../stack/traffic-lines.ts";
import type { AsLeft } from "./as-left.ts";
import { became } from "./became.ts";
import type { Outcome } from "./in-force.ts";
import { setShare } from "./share.ts";
import { shareIn } from "./standing.ts";
import { asked, changedSince, TrafficTold } from "./traffic-told.ts";

/** A stack whose traffic a person changes. */
export interface ByHand {
  readonly stack: string;
  readonly dir: string;
  /** Reads its Worker. */
  readonly live: () => Promise<LiveWorker>;
}

/** The stack, for a change of its traffic. */
export const byHand = ({ name, reads, settings }: OpenStack, dir: string): ByHand => ({
  stack: name,
  dir,
  live: () => readWorker(reads, settings.workerName),
});

/** A version that is to have all traffic. */
type Stable = Pick<LiveWorker["serving"][number], "number" | "versionId">;

/**
 * Gives the release a share of more than nothing, as it was asked by `left`.
 * @throws Interrupted, or TrafficTold where it failed, or something else has changed the traffic or the release since.
 */
export async function giveShare(on: ByHand, share: number, left: AsLeft & { readonly tag: string }): Promise<void> {
  const { stack, dir, live } = on;
  await setShare(stack, dir, share, {
    left,
    became: () =>
      became(live, {
        left: left.deployment,
        isSent: (now) => shareIn({ live: now, tag: left.tag }) === share,
        other: (now) => changedSince(stack, dir, now),
      }),
    next: (outcome) => nextOf(on, outcome),
  });
}

/**
 * Sends all traffic back to the stable version, also where a step of a rollout is under way: whoever abandons it means it.
 * @throws Interrupted, or TrafficTold where it failed, or the rollout had ended: then nothing of it can be abandoned.
 */
export async function abandon(on: ByHand, stable: Stable): Promise<void> {
  const { stack, dir, live } = on;
  const left = (await live()).deployment?.id;
  const { putBack } = await setShare(stack, dir, 0, {
    became: () =>
      became(live, { left, isSent: (now) => serves(now, stable), other: (now) => notAbandoned(on, now, stable) }),
    next: (outcome) => nextOf(on, outcome),
  });
  const now = await asked(
    live(),
    (why) =>
      `The update was complete, but whether version ${stable.number} has all traffic cannot be read: ${why}\nSee: ${seeStatusLine(stack, dir)}`,
  );
  if (now.serving.length === 1 && serves(now, stable)) return;
  putBack();
  throw notAbandoned(on, now, stable);
}

const serves = ({ serving }: LiveWorker, { versionId }: Stable): boolean =>
  serving.some((version) => version.versionId === versionId);

/** Why the stable version has not all traffic though the rollout was abandoned. The settings are as they were. */
function notAbandoned({ stack, dir }: ByHand, now: LiveWorker, stable: Stable): TrafficTold {
  if (serves(now, stable)) return changedSince(stack, dir, now);
  return new TrafficTold(
    `The rollout had ended before it could be abandoned: now it is ${sharesOf(now.serving) || "nobody's"}. Nothing was taken back. Go back with: ${backLine(stack, dir)}`,
  );
}

/** What a person does after an update that was not complete. */
function nextOf({ stack, dir }: ByHand, outcome: Outcome): string {
  if (outcome === "done") return "";
  return outcome === "as it was"
    ? "Run the same command again; where another update is under way, such as a step of a rollout, stop that or wait for its end first."
    : // The same command may find that no rollout is under way any more.
      `To complete it: ${updateLine(stack, dir)}`;
}
