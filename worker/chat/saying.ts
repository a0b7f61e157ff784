/** What somebody says in a room: whether it was said before and whether the budgets allow it, before it is stored. */
import { type Answer, ackOf, CONFLICT, errorOf, type Objection } from "./answers.ts";
import type { Budgets, Over } from "./budgets.ts";
import type { Outgoing } from "./outgoing.ts";
import type { ChatFrame } from "./protocol.ts";
import type { Talker } from "./relay-protocol.ts";
import type { Upkeep } from "./upkeep.ts";

/** Somebody who says something: who gets the answer, and what it costs them. */
interface Speaking {
  readonly answer: Answer;
  /** The message is invalid, excess or repeated. False if its sender gets no answer any more. */
  offends(): boolean;
  /** The message was taken out of the budgets. */
  taken(): void;
}

export class Saying {
  readonly #outgoing: Outgoing;
  readonly #budgets: Budgets;
  readonly #upkeep: Upkeep;

  constructor(outgoing: Outgoing, budgets: Budgets, upkeep: Upkeep) {
    this.#outgoing = outgoing;
    this.#budgets = budgets;
    this.#upkeep = upkeep;
  }

  /** Stores a message, or refuses it. */
  async say(talker: Talker, frame: ChatFrame, { answer, offends, taken }: Speaking): Promise<void> {
    const { userId } = talker;
    const now = Date.now();
    const refuse = (why: Objection) => {
      if (offends()) answer(errorOf(frame, why));
    };
    const known = this.#outgoing.known(userId, frame, now);
    if (known?.kind === "conflict") return refuse(CONFLICT);
    if (known) {
      if (!offends()) return;
      if (known.kind === "stored") return answer(ackOf(frame, known.sent, true));
      return this.#outgoing.join(known, answer);
    }
    const over = this.#budgets.message(talker, now);
    if (over) return refuse(tooManyMessages(over));
    taken();
    if (talker.known) this.#upkeep.keep();
    await this.#outgoing.say(userId, frame, answer, now);
  }
}

const WHOSE = { user: "you may send", address: "your network address may send", room: "this room takes" };

function tooManyMessages({ whose, policy: { capacity, periodSeconds }, waitMs }: Over): Objection {
  const retryAfter = Math.max(Math.ceil(waitMs / 1_000), 1);
  const error = `Too many messages: ${WHOSE[whose]} at most ${capacity} in ${periodSeconds} s; wait ${retryAfter} s`;
  return { code: "rate-limited", error, retryAfter };
}
