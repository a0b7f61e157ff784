/**
 * How far behind a reader is. Unread frames wait in the runtime's memory, which does not say how many they are. So the
 * room counts what it sent, and the client says what it has seen (`seen`). Plain logic.
 *
 * A client of the article's plain protocol (README.md) never sends `seen`. Any frame of it, even a ping, counts as a
 * sign that it reads. That proves nothing, so it has a limit: then the client must reconnect, and resumes.
 */

/** What was sent to a socket. */
export interface Amount {
  readonly messages: number;
  /** Bytes of UTF-8, of all frames. */
  readonly bytes: number;
}

/** What the room knows about a socket's reading. */
export interface Reading {
  /** When its last frame came (ms since the epoch), without the pings that the runtime answers. */
  readonly heardAt: number;
  /** When the room sent a ping that was not answered yet (ms since the epoch). */
  readonly askedAt?: number | undefined;
  /** Whether it ever sent `seen`. */
  readonly acks: boolean;
  /** Sent since its last `seen`; if it never sends `seen`, since its last frame. */
  readonly unread: Amount;
  /** Sent since its last `seen`; if it never sends `seen`, since it joined. */
  readonly unseen: Amount;
  /** Bytes of the greeting, until the first sign after it. */
  readonly greeted?: number | undefined;
}

const NOTHING: Amount = { messages: 0, bytes: 0 };
/** A socket that is further behind is closed. */
const MAX_UNREAD: Amount = { messages: 200, bytes: 256 * 1_024 };
/** The same in all, for a socket that never sends `seen`. */
const MAX_UNSEEN: Amount = { messages: 1_000, bytes: 1_024 * 1_024 };

/** After so long without a frame, the room sends a ping; and so long after an unanswered ping it closes the socket. */
export const ASK_AFTER_MS = 45_000;
export const ANSWER_WITHIN_MS = 10_000;

export const newReading = (now: number): Reading => ({
  heardAt: now,
  acks: false,
  unread: NOTHING,
  unseen: NOTHING,
});

const plus = (a: Amount, b: Amount): Amount => ({ messages: a.messages + b.messages, bytes: a.bytes + b.bytes });
const exceeds = (a: Amount, max: Amount) => a.messages > max.messages || a.bytes > max.bytes;

/** After something was sent. */
export const sent = (reading: Reading, amount: Amount): Reading => ({
  ...reading,
  unread: plus(reading.unread, amount),
  unseen: plus(reading.unseen, amount),
});

/** After any frame but `seen`. It is a sign of reading only for a client that never sends `seen`. */
export const heard = (reading: Reading, now: number): Reading => ({
  ...reading,
  heardAt: now,
  askedAt: undefined,
  greeted: undefined,
  unread: reading.acks ? reading.unread : NOTHING,
});

/** After a `seen`. `since`: what was sent after the message that it names. */
export const seen = (now: number, since: Amount): Reading => ({
  heardAt: now,
  acks: true,
  unread: since,
  unseen: since,
});

export const isTooFarBehind = ({ unread, unseen }: Reading): boolean =>
  exceeds(unread, MAX_UNREAD) || exceeds(unseen, MAX_UNSEEN);

/** What was sent lately, by number: tells how much came after the number that a client has seen. */
export class Recent {
  readonly #sizes: { readonly seq: number; readonly bytes: number }[] = [];

  add(seq: number, bytes: number): void {
    this.#sizes.push({ seq, bytes });
    if (this.#sizes.length > MAX_UNREAD.messages * 2) this.#sizes.splice(0, MAX_UNREAD.messages);
  }

  /** `last`: the newest number. Bytes that were sent before the room last slept are unknown, and not counted. */
  after(seq: number, last: number): Amount {
    let bytes = 0;
    for (let i = this.#sizes.length - 1; i >= 0; i--) {
      const size = this.#sizes[i];
      if (!size || size.seq <= seq) break;
      bytes += size.bytes;
    }
    return { messages: Math.max(last - seq, 0), bytes };
  }
}
