/**
 * Greetings that may be unread. A greeting is as long as the history, and waits in the memory until its client reads. It
 * does not count for how far behind a reader is, so those of all are counted here, before one more is let in.
 */
import { isOpen } from "../objects/sockets.ts";
import { ANSWER_WITHIN_MS, ASK_AFTER_MS, type Reading } from "./readers.ts";
import { askIfSilent, hearAnswers, type Sockets } from "./signs.ts";

/** Bytes of greetings that may be unread: with more, nobody else is let in. */
const MAX_GREETED = 32 * 1_024 * 1_024;
/** With more than the first, nobody is let in who has more than the second. */
const [PRESSURE, SHARE] = [MAX_GREETED / 2, MAX_GREETED / 8];
/** They are counted this often at most: that takes calls for each socket. */
const COUNT_EVERY_MS = 1_000;

interface Bytes {
  readonly all: number;
  /** Without those of sockets that were put out after a long silence: they count against their owner only. */
  readonly live: number;
}

export class Greetings {
  readonly #ctx: DurableObjectState;
  readonly #sockets: Sockets;
  /** An upper bound of what is unread. Over PRESSURE, as at the start, it is counted anew. */
  #unread: Bytes = { all: Number.POSITIVE_INFINITY, live: Number.POSITIVE_INFINITY };
  #countedAt = 0;

  constructor(ctx: DurableObjectState, sockets: Sockets) {
    this.#ctx = ctx;
    this.#sockets = sockets;
  }

  /** Counts what was sent of a greeting. Returns the reading of its socket after that. */
  sent(reading: Reading, bytes: number): Reading {
    const { all, live } = this.#unread;
    this.#unread = { all: all + bytes, live: live + bytes };
    return { ...reading, greeted: (reading.greeted ?? 0) + bytes };
  }

  /** Whose greetings leave no memory for the one of a joiner with these tags: their own, or those of all. */
  whoClogs(tags: readonly string[], now: number): "own" | "all" | undefined {
    if (this.#unread.all > PRESSURE && Math.abs(now - this.#countedAt) >= COUNT_EVERY_MS) {
      this.#unread = this.#count(now);
      this.#countedAt = now;
    }
    if (this.#unread.all <= PRESSURE) return undefined;
    if (tags.some((tag) => this.#count(now, tag).all > SHARE)) return "own";
    return this.#unread.live > MAX_GREETED ? "all" : undefined;
  }

  /** What may be unread, for a tag or for all. Greetings of a socket that closes wait in the memory too. */
  #count(now: number, tag?: string): Bytes {
    let [all, live] = [0, 0];
    for (const socket of this.#ctx.getWebSockets(tag)) {
      const member = this.#sockets.memberOf(socket);
      if (!member?.reading.greeted) continue;
      const { greeted = 0, heardAt } = hearAnswers(this.#ctx, socket, member);
      if (greeted > 0 && now - heardAt >= ASK_AFTER_MS && isOpen(socket))
        askIfSilent(this.#ctx, this.#sockets, socket, now);
      all += greeted;
      if (isOpen(socket) || now - heardAt < ASK_AFTER_MS + ANSWER_WITHIN_MS) live += greeted;
    }
    return { all, live };
  }
}
