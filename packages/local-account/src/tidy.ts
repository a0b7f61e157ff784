/** Removes what nobody needs any more: after a change that is made, or, where that failed, before the next one is. */
import { faultOfDisk } from "./disk.ts";
import { ApiError, INTERNAL_ERROR } from "./errors.ts";

/** Whether `work` has removed all that it should. If it fails, says why: that is no failure of the change, which is made. */
export async function tidied(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    const fault = faultOfDisk(error);
    console.error(
      `The account cannot remove what it no longer needs${fault === undefined ? "" : ` (${fault})`}. The change itself is made; the rest is removed before the next change, or at the next start.`,
      ...(fault === undefined ? ["This is a bug:", error] : []),
    );
    return false;
  }
}

/**
 * Removes before a change what was left by one before.
 * @throws ApiError where the disk does not let it: nothing is changed then.
 */
export async function removedFirst(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const fault = faultOfDisk(error);
    if (fault === undefined) throw error;
    throw new ApiError(
      500,
      INTERNAL_ERROR,
      `Nothing was changed: what was deleted before still lies in the folder of the local account, and something new of its name would have its data. It cannot be removed (${fault}). Correct that there, and send the call again.`,
    );
  }
}
