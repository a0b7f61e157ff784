/** What became of a stack's traffic in an update that has failed: the account is asked. */
import { isUserError } from "../common/user-error.ts";
import type { LiveWorker } from "../plan/live/worker.ts";
import type { TrafficTold } from "./traffic-told.ts";

/** An error: something else has changed the traffic; undefined: it has moved as it should, or nobody knows. */
export type Became = "as it was" | TrafficTold | undefined;

interface Judged {
  /** The deployment that was in force before. */
  readonly left: string | undefined;
  /** Whether what serves now may be what the update has sent. */
  readonly isSent: (now: LiveWorker) => boolean;
  /** The error where it is not. */
  readonly other: (now: LiveWorker) => TrafficTold;
}

/** Looks at the Worker, and judges it by what is known of the update. */
export async function became(live: () => Promise<LiveWorker>, { left, isSent, other }: Judged): Promise<Became> {
  try {
    const now = await live();
    if (now.deployment?.id === left) return "as it was";
    return isSent(now) ? undefined : other(now);
  } catch (error) {
    if (isUserError(error)) return undefined;
    throw error;
  }
}
