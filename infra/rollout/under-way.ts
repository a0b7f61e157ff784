/** A rollout that is under way, or was left: an update by hand is not to give its release all traffic unjudged. Pure. */
import { isOurDeployment } from "../plan/live/messages.ts";
import type { LiveWorker } from "../plan/live/worker.ts";
import { sharesOf } from "../plan/traffic/words.ts";
import { abandonLine, goOnLine, wholeLine } from "../stack/traffic-lines.ts";

/** What an update would bring into force. */
export interface AtHand {
  readonly stack: string;
  /** Of the local account. */
  readonly dir: string;
  /** Reads the digest of the release; undefined: there is none. */
  readonly digest: () => string | undefined;
  /** Whether the settings say a share: then somebody has decided it. */
  readonly isDecided: boolean;
}

/**
 * Why a stack of which two versions share the traffic, as this program left it, takes no update that would give the
 * release of the rollout all of it, with settings that say nothing of a rollout; undefined: it does. So are those of a
 * checkout of somebody else, or of a CI job.
 */
export function underWayText(
  { stack, dir, digest, isDecided }: AtHand,
  { serving, deployment }: Pick<LiveWorker, "serving" | "deployment">,
): string | undefined {
  const [rolledOut, ...others] = serving;
  if (isDecided || others.length === 0 || !isOurDeployment(deployment?.message)) return undefined;
  // The version before takes all traffic back, and the plan refuses a third one.
  const atHand = digest();
  if (atHand === undefined || rolledOut?.digest !== atHand) return undefined;
  return [
    `In ${stack} a rollout is under way, or was left: ${sharesOf(serving)}. These settings say nothing of it, so they would give the release all traffic, and nobody has judged it. Nothing was changed.`,
    `To go on with it: ${goOnLine(stack, dir)}`,
    `To end it: ${abandonLine(stack, dir)}`,
    `To give the release all traffic all the same: ${wholeLine(stack, dir)}; or write rollout: 100 into the settings.`,
  ].join("\n");
}
