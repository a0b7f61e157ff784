/** What became of a stack's traffic in an update that has failed: the account is asked. */

import { isUserError, UserError } from "../common/user-error.ts";
import { type LiveWorker, readWorker } from "../plan/live/worker.ts";
import { sharesOf } from "../plan/traffic/words.ts";
import type { OpenStack } from "../stack/open.ts";

/** An error whose message says where the traffic is, and what to do about it. */
export class TrafficTold extends UserError {
  override readonly name = "TrafficTold";
}

/** An error: something else has changed the traffic; undefined: it has moved as it should, or nobody knows. */
export type Became = "as it was" | TrafficTold | undefined;

/** A stack whose traffic a person changes. */
export interface ByHand {
  readonly stack: string;
  readonly dir: string;
  /** Reads its Worker. */
  readonly live: () => Promise<LiveWorker>;
}

/** The stack, for a change of its traffic. */
export const byHand = ({ name, reads, settings }: OpenStack, dir: string): ByHand => ({
  stack: name,
  dir,
  live: () => readWorker(reads, settings.workerName),
});

/** What the account says after an update. @throws TrafficTold with `told` of why it cannot be read. */
export const asked = <Answer>(answer: Promise<Answer>, told: (why: string) => string): Promise<Answer> =>
  answer.catch((error: unknown) => {
    throw isUserError(error) ? new TrafficTold(told(error.message), { cause: error }) : error;
  });

interface Judged {
  /** The deployment that was in force before. */
  readonly left: string | undefined;
  /** Whether what serves now may be what the update has sent. */
  readonly isSent: (now: LiveWorker) => boolean;
  /** The error where it is not. */
  readonly other: (now: LiveWorker) => TrafficTold;
}

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

/** What a person reads who was asked before something else has changed the traffic. */
export const changedSince = (stack: string, { serving }: Pick<LiveWorker, "serving">): TrafficTold =>
  new TrafficTold(
    `Something else has changed the traffic of ${stack} since that was asked: now it is ${sharesOf(serving) || "nobody's"}. It is left so. ${seeStatus(stack)}`,
  );

/** Where to see what serves. */
export const seeStatus = (stack: string): string => `See: npm run rollout -- status --stack ${stack}`;
