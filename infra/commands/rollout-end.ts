/** What the commands that roll out share: where a stack's Worker answers, and how they end. */

import { resolve } from "node:path";
import { runningAccount } from "@durable-stack/local-account/address";
import { ROOT } from "../release/root.ts";
import type { End } from "../rollout/run.ts";
import type { PublicSettings } from "../stack/config.ts";
import { LOCAL } from "../stack/project.ts";
import { UserError } from "../stack/user-error.ts";

/** The exit code of each end but the good one; 1 is an error, as everywhere. */
export const EXIT: Readonly<Record<End, number>> = { done: 0, "went back": 3, "not known": 4, "no way back": 5 };

/** Where the stack's Worker answers. @throws UserError where that cannot be known from here. */
export function addressOf({ stack, hostname }: PublicSettings, dir: string): URL {
  const port = stack === LOCAL ? runningAccount(resolve(ROOT, dir))?.port : undefined;
  if (port !== undefined) return new URL(`http://127.0.0.1:${port}/`);
  if (hostname !== undefined) return new URL(`https://${hostname}/`);
  throw new UserError(`${stack} has no hostname: say with --url where the Worker answers, for the smoke test.`);
}
