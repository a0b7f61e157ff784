/**
 * Keeps an update from doing another thing than was decided or asked: somebody else may have abandoned the rollout in
 * another terminal since, or built another release. The program, which no other update runs beside, compares once more.
 */

import { UserError } from "../common/user-error.ts";
import type { Preview } from "../plan/preview/preview.ts";

/** What an update was decided by. */
export interface AsLeft {
  /** The deployment that was in force; undefined: any may be. */
  readonly deployment: string | undefined;
  /** The tag of the version that the release at hand made; undefined: it may be any. */
  readonly tag: string | undefined;
}

/** By these the program is told. */
export const AS_LEFT = "DURABLE_STACK_AS_LEFT";
export const AS_LEFT_TAG = "DURABLE_STACK_AS_LEFT_TAG";

/** Runs an update that the program refuses where something is not as it was left by then. */
export async function updateAsLeft<T>({ deployment, tag }: AsLeft, update: () => Promise<T>): Promise<T> {
  if (deployment !== undefined) process.env[AS_LEFT] = deployment;
  if (tag !== undefined) process.env[AS_LEFT_TAG] = tag;
  try {
    return await update();
  } finally {
    delete process.env[AS_LEFT];
    delete process.env[AS_LEFT_TAG];
  }
}

/** @throws UserError in the program, where something is not as it was when its update was decided. */
export function mustBeAsLeft(
  { live: { deployment }, tag }: { readonly live: Pick<Preview["live"], "deployment"> } & Pick<Preview, "tag">,
  env: Readonly<Record<string, string | undefined>>,
): void {
  const { [AS_LEFT]: left, [AS_LEFT_TAG]: tagLeft } = env;
  if (left && deployment?.id !== left) {
    throw new UserError("Nothing was sent: something else has changed the traffic since this was decided.");
  }
  if (tagLeft && tag !== tagLeft) {
    throw new UserError(
      "Nothing was sent: another release is at hand than this was decided for, or a setting has changed. Put it back, or decide anew.",
    );
  }
}
