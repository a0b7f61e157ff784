/** The promotion guard of a command, which opens the stack that a release comes from and asks its account. */

import { isUserError } from "../common/user-error.ts";
import { readWorker } from "../plan/live/worker.ts";
import type { Finding } from "../plan/rules/codes.ts";
import type { Release } from "../release/read.ts";
import { sourceEnvironment } from "../stack/account.ts";
import type { PublicSettings } from "../stack/config.ts";
import { openStack, type StackOptions } from "../stack/open.ts";
import { promotedFrom } from "./guard.ts";
import { servedOf } from "./served.ts";
import { ownVariables } from "./source.ts";

/** What stands against the release when the stack that it is promoted from does not serve it, or not for long enough. */
export async function promotionOf(
  target: PublicSettings,
  release: Release,
  options: StackOptions,
): Promise<readonly Finding[]> {
  const { promotesFrom: from } = target;
  if (from === undefined) return [];
  try {
    const { settings, reads } = openStack(from, { ...options, env: sourceEnvironment(options.env ?? process.env) });
    const live = await readWorker(reads, settings.workerName);
    const observed = { from, served: servedOf(live, release.digest), since: live.servedSince };
    return promotedFrom(observed, release, target);
  } catch (error) {
    if (!isUserError(error)) throw error;
    return [
      {
        code: "promotion_unchecked",
        subject: from,
        message:
          "promotesFrom names it, and its account cannot be read from here, so whether it serves this release is checked only by `npm run up`.",
        fix: `where its account is another, export FROM_CLOUDFLARE_API_TOKEN (a token that reads is enough) and FROM_CLOUDFLARE_ACCOUNT_ID. What was said: ${ownVariables(error.message, options.env ?? process.env).replaceAll(/\s*\n\s*/g, " ")}`,
      },
    ];
  }
}
