/** The release that a stack deploys, where it may be missing. */

import { isUserError } from "../common/user-error.ts";
import { type PublicSettings, releaseDir } from "../stack/config.ts";
import { type Release, readRelease } from "./read.ts";

/** The release in the folder that the stack's settings name, or why there is none. */
export function findRelease(settings: PublicSettings): Release | Error {
  try {
    return readRelease(releaseDir(settings));
  } catch (error) {
    if (isUserError(error)) return error;
    throw error;
  }
}
