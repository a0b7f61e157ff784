/** Whether two versions can be compared at all: it is better heard before a rollout than in its middle. */

import { UserError } from "../../common/user-error.ts";
import type { Api } from "../../provider/api.ts";
import type { Release } from "../../release/read.ts";
import { type Logged, logged } from "./logged.ts";
import { isPassing, isUnlogged, loggedNow, numbersOf, type Window } from "./numbers.ts";

/**
 * Says what will be missing in the numbers. The first step gives the Worker the settings of `release`, so that what is off
 * by now may be on then. @throws UserError where nothing could be counted.
 */
export async function mustBeCountable(
  api: Api,
  window: Window,
  stable: string,
  { release, say }: { readonly release: Pick<Release, "extras">; readonly say: (line: string) => void },
): Promise<void> {
  const after = logged(release.extras?.observability ?? { enabled: true });
  if (after.share === 0) {
    throw new UserError(
      `The steps of this rollout are judged by the logs of the requests, and with this release there are none: in wrangler.jsonc ${after.because}. Turn that on and build again, or take \`minutes\` out of the stack's rolloutSteps.`,
    );
  }
  try {
    const [now] = await Promise.all([loggedNow(api, window), numbersOf(api, window, stable)]);
    const least = now.share < after.share ? now : after;
    if (least.share < 1) say(sampled(least));
  } catch (error) {
    if (isPassing(error)) return;
    if (!isUnlogged(error)) throw error;
    say(`Warning: ${error.message} The first step turns it on if it was off with the release before.`);
  }
}

const sampled = ({ share, because }: Logged) =>
  `Warning: ${because}, so of all requests only ${Number((share * 100).toPrecision(2))} % are counted, and a step needs ${Number((1 / share).toPrecision(2))} times the traffic. Let every request be logged while it is rolled out.`;
