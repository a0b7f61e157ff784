/** A rollout that is under way, or was left: an update by hand is not to give its release all traffic unjudged. Pure. */
import type { LiveWorker } from "../plan/live.ts";
import { isOurDeployment } from "../plan/messages.ts";
import { sharesOf } from "../plan/traffic-words.ts";
import type { PublicSettings } from "../stack/config.ts";

/** How to go on with a rollout, or back: lines. */
export const rolloutWays = (stack: string): { readonly run: string; readonly abandon: string } => ({
  run: `npm run rollout -- run --stack ${stack}`,
  abandon: `npm run rollout -- abandon --stack ${stack}`,
});

/**
 * Why a stack of which two versions share the traffic, as this program left it, takes no update with settings that give
 * the release all of it; undefined: it does. A checkout of somebody else, or a CI job's, says nothing of the rollout.
 */
export function underWayText(
  { stack, rollout }: Pick<PublicSettings, "stack" | "rollout">,
  { serving, deployment }: Pick<LiveWorker, "serving" | "deployment">,
): string | undefined {
  if (rollout < 100 || serving.length < 2 || !isOurDeployment(deployment?.message)) return undefined;
  const { run, abandon } = rolloutWays(stack);
  return [
    `In ${stack} a rollout is under way, or was left: ${sharesOf(serving)}. These settings would give the release at hand all of it, and nobody has judged it. Nothing was changed.`,
    `To go on with it: ${run}`,
    `To end it: ${abandon}`,
    `To give the release all traffic all the same: npm run rollout -- set 100 --stack ${stack}`,
  ].join("\n");
}
