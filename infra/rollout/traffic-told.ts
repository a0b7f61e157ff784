/** Errors that say where a stack's traffic is, and what to do about it. */
import { isUserError, UserError } from "../common/user-error.ts";
import type { LiveWorker } from "../plan/live/worker.ts";
import { sharesOf } from "../plan/traffic/words.ts";
import { seeStatusLine } from "../stack/traffic-lines.ts";

/** An error whose message says where the traffic is, and what to do about it. */
export class TrafficTold extends UserError {
  override readonly name = "TrafficTold";
}

/** What the account says after an update. @throws TrafficTold with `told` of why it cannot be read. */
export const asked = <Answer>(answer: Promise<Answer>, told: (why: string) => string): Promise<Answer> =>
  answer.catch((error: unknown) => {
    throw isUserError(error) ? new TrafficTold(told(error.message), { cause: error }) : error;
  });

/** What a person reads who was asked before something else has changed the traffic. */
export const changedSince = (stack: string, dir: string, { serving }: Pick<LiveWorker, "serving">): TrafficTold =>
  new TrafficTold(
    `Something else has changed the traffic of ${stack} since that was asked: now it is ${sharesOf(serving) || "nobody's"}. It is left so. See: ${seeStatusLine(stack, dir)}`,
  );
