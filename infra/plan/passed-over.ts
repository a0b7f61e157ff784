/** What is read besides, and must not keep traffic from going back: an outage may be why somebody goes back. */
import { ApiError } from "../provider/api.ts";

/** The answer; undefined where the API fails and the traffic `goesBack`. */
export const unlessBack = <T>(read: Promise<T | undefined>, goesBack: boolean): Promise<T | undefined> =>
  read.catch((error: unknown) => {
    if (goesBack && error instanceof ApiError) return undefined;
    throw error;
  });
