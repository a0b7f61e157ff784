/** What the commands that roll out share: where a stack's Worker answers, and how they end, also by a signal. */

import { resolve } from "node:path";
import { runningAccount } from "@durable-stack/local-account/address";
import { endsInOrder } from "../apply/foreground.ts";
import { END_SIGNALS, exitCodeOf } from "../common/interrupted.ts";
import { UserError } from "../common/user-error.ts";
import { ROOT } from "../release/root.ts";
import type { End } from "../rollout/run.ts";
import type { OptionNames } from "../smoke/ready.ts";
import type { PublicSettings } from "../stack/config.ts";
import { LOCAL } from "../stack/project.ts";
import { seeStatusLine } from "../stack/traffic-lines.ts";

/** The exit code of each end but the good one; 1 is an error, as everywhere. */
export const EXIT: Readonly<Record<End, number>> = { done: 0, "went back": 3, "not known": 4, "no way back": 5 };

/** How `npm run rollout -- run` calls the address and the token of its stack. */
export const OWN: OptionNames = { url: "--url", adminToken: "ADMIN_TOKEN or --admin-token" };
/** How `npm run promote` calls those of the stack that it rolls out to: its --url and --admin-token are the source's. */
export const OF_TARGET: OptionNames = { url: "--to-url", adminToken: "ADMIN_TOKEN" };

/** Where the stack's Worker answers. @throws UserError where that cannot be known from here. */
export function addressOf({ stack, hostname }: PublicSettings, dir: string, { url }: OptionNames): URL {
  const port = stack === LOCAL ? runningAccount(resolve(ROOT, dir))?.port : undefined;
  if (port !== undefined) return new URL(`http://127.0.0.1:${port}/`);
  if (hostname !== undefined) return new URL(`https://${hostname}/`);
  throw new UserError(`${stack} has no hostname: say with ${url} where the Worker answers, for the smoke test.`);
}

/** Ends a rollout on a signal that comes between two updates. One that comes during an update is told at its end. */
export function stopBetweenUpdates(stack: string, dir: string): void {
  for (const signal of END_SIGNALS) {
    process.on(signal, () => {
      if (endsInOrder()) return;
      console.error(
        `\nStopped while no update was under way. The traffic stays as it is: ${seeStatusLine(stack, dir)}\nRun the same command again to go on.`,
      );
      process.exit(exitCodeOf(signal));
    });
  }
}
