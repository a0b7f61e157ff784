/**
 * Keeps a step of a rollout from overwriting what somebody else has done since it was decided, such as an abandon in
 * another terminal: the program, which no other update runs beside, compares the deployments once more.
 */
import type { LiveWorker } from "../plan/live.ts";
import { UserError } from "../stack/user-error.ts";

/** By this the program is told which deployment the step was decided by. */
export const AS_LEFT = "DURABLE_STACK_AS_LEFT";

/** Runs an update that the program refuses where another deployment than this one is in force by then; undefined: any may be. */
export async function updateAsLeft<T>(deployment: string | undefined, update: () => Promise<T>): Promise<T> {
  if (deployment === undefined) return update();
  process.env[AS_LEFT] = deployment;
  try {
    return await update();
  } finally {
    delete process.env[AS_LEFT];
  }
}

/** @throws UserError in the program, where another deployment is in force than its update was decided by. */
export function mustBeAsLeft(
  { deployment }: Pick<LiveWorker, "deployment">,
  env: Readonly<Record<string, string | undefined>>,
): void {
  const left = env[AS_LEFT];
  if (!left || deployment?.id === left) return;
  throw new UserError("Nothing was sent: something else has changed the traffic since this step was decided.");
}
