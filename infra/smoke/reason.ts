/** Why something of the smoke test failed, and whether that says anything about the Worker. */
import { StatusError } from "./expect.ts";

/** The reason in words. A failed `fetch` hides its own in the cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

/** Why a failure may be no fault of the Worker: nothing answered, or the admin token was refused (401, 403). */
export type Blind = "not reached" | "token refused";

/** Undefined: the Worker has answered, and wrongly, as where it refuses a call without a token or a session's. */
export function blindness(error: unknown, adminToken: string | undefined): Blind | undefined {
  if (error instanceof StatusError && (error.status === 401 || error.status === 403)) {
    return adminToken !== undefined && error.token === adminToken ? "token refused" : undefined;
  }
  return isUnanswered(error) ? "not reached" : undefined;
}

/** Whether no answer came, or none in time. */
export function isUnanswered(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // `fetch` throws a TypeError with a cause where it has no answer; what waits too long, an error of this name.
  return (error instanceof TypeError && error.cause instanceof Error) || error.name === "TimeoutError";
}
