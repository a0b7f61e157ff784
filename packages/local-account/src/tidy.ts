/** Removes what nobody needs any more, after a change that is already made: no failure of this is one of the change. */
import { faultOfDisk } from "./disk.ts";

/** Whether `work` has removed all that it should. If it fails, says why. */
export async function tidied(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    const fault = faultOfDisk(error);
    console.error(
      `The account cannot remove what it no longer needs${fault === undefined ? "" : ` (${fault})`}. The change itself is made; the rest is removed with the next change or start.`,
      ...(fault === undefined ? ["This is a bug:", error] : []),
    );
    return false;
  }
}
