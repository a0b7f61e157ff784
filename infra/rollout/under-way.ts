/** A rollout that is under way, or was left: an update by hand is not to give its release all traffic unjudged. Pure. */
import { dirOption } from "../apply/hints.ts";
import { isOurDeployment } from "../plan/live/messages.ts";
import type { LiveWorker } from "../plan/live/worker.ts";
import { sharesOf } from "../plan/traffic/words.ts";
import { LOCAL } from "../stack/project.ts";

/** How to go on with a rollout, or back: lines. `dir`: of the local account. */
export function rolloutWays(stack: string, dir: string): Readonly<Record<"run" | "abandon" | "whole", string>> {
  const folder = stack === LOCAL ? dirOption(dir) : "";
  return {
    run: `npm run rollout -- run --stack ${stack}${folder}`,
    abandon: `npm run rollout -- abandon --stack ${stack}${folder}`,
    whole: `npm run rollout -- set 100 --stack ${stack}${folder}`,
  };
}

/** What an update would bring into force. */
export interface AtHand {
  readonly stack: string;
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
  const { run, abandon, whole } = rolloutWays(stack, dir);
  return [
    `In ${stack} a rollout is under way, or was left: ${sharesOf(serving)}. These settings say nothing of it, so they would give the release all traffic, and nobody has judged it. Nothing was changed.`,
    `To go on with it: ${run}`,
    `To end it: ${abandon}`,
    `To give the release all traffic all the same: ${whole}; or write rollout: 100 into the settings.`,
  ].join("\n");
}
