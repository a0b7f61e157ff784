/** How a stack stands in a rollout: what of its traffic the release has, and which version it is beside. Pure. */

import { UserError } from "../common/user-error.ts";
import { servableOf } from "../plan/live/changed-by-others.ts";
import type { Preview } from "../plan/preview/preview.ts";

/** What serves, and the tag of the release's version. */
export type Standing = Pick<Preview, "live" | "tag">;

/** The release's version, where it is in the deployment. */
export const releaseIn = ({ live, tag }: Standing) => live.serving.find((version) => version.tag === tag);

/** Per cent of the traffic that the release has. */
export const shareIn = (standing: Standing): number => releaseIn(standing)?.percentage ?? 0;

/** The version that has the rest of the traffic, or gets it with the first step: of ours, whatever was deployed over it. */
export const stableIn = ({ live, tag }: Standing) => servableOf(live).find((version) => version.tag !== tag);

/** The same. @throws where there is none. */
export function stableOf(standing: Standing) {
  const stable = stableIn(standing);
  if (!stable) throw new UserError("No other version serves beside the release: there is nothing to compare it with.");
  return stable;
}
