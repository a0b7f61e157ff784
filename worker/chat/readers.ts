/**
 * How far behind a reader is. What a client does not read waits in the runtime's memory, and nothing there says how
 * much that is; so the room counts what it sent, and the client says what it has seen (`seen`). Plain logic.
 *
 * A client of the article's plain protocol never says so. Whatever it sends, a ping too, counts as a sign that it
 * reads; but only for so much, because it proves nothing: then it must connect anew, and resumes.
 */

/** What was sent to a socket. */
export interface Amount {
  readonly messages: number;
  /** Of UTF-8, all frames. */
  readonly bytes: number;
}

/** What is known of a socket's reading. */
export interface Reading {
  /** When it was last heard of (ms since the epoch), save for pings that the runtime answers. */
  readonly heardAt: number;
  /** Whether it ever said what it has seen. */
  readonly acks: boolean;
  /** Since it last said what it has seen, or gave another sign where it never says. */
  readonly unread: Amount;
  /** Since it last said what it has seen, or since it came. */
  readonly unseen: Amount;
}

const NOTHING: Amount = { messages: 0, bytes: 0 };
/** More than this behind, and the socket is closed. */
export const MAX_UNREAD: Amount = { messages: 200, bytes: 256 * 1_024 };
/** The same for who never says what they have seen: in all. */
export const MAX_UNSEEN: Amount = { messages: 1_000, bytes: 1_024 * 1_024 };

/** After so long without a word, the room asks whether anybody is there; and after so long it gives up. */
export const ASK_AFTER_MS = 45_000;
export const SILENT_AFTER_MS = 55_000;

export const newReading = (now: number): Reading => ({
  heardAt: now,
  acks: false,
  unread: NOTHING,
  unseen: NOTHING,
});

const plus = (a: Amount, b: Amount): Amount => ({ messages: a.messages + b.messages, bytes: a.bytes + b.bytes });
const exceeds = (a: Amount, max: Amount) => a.messages > max.messages || a.bytes > max.bytes;

/** Something was sent. */
export const sent = (reading: Reading, amount: Amount): Reading => ({
  ...reading,
  unread: plus(reading.unread, amount),
  unseen: plus(reading.unseen, amount),
});

/** The client said or asked something: to who says what they have seen, that is no sign that they read. */
export const heard = (reading: Reading, now: number): Reading => ({
  ...reading,
  heardAt: now,
  unread: reading.acks ? reading.unread : NOTHING,
});

/** The client said what it has seen; `since`: what was sent after that. */
export const seen = (now: number, since: Amount): Reading => ({
  heardAt: now,
  acks: true,
  unread: since,
  unseen: since,
});

export const isTooFarBehind = ({ unread, unseen }: Reading): boolean =>
  exceeds(unread, MAX_UNREAD) || exceeds(unseen, MAX_UNSEEN);

/** What was sent lately, by number: what is after the number that a client has seen. */
export class Recent {
  readonly #sizes: { readonly seq: number; readonly bytes: number }[] = [];

  add(seq: number, bytes: number): void {
    this.#sizes.push({ seq, bytes });
    if (this.#sizes.length > MAX_UNREAD.messages * 2) this.#sizes.splice(0, MAX_UNREAD.messages);
  }

  /** `last`: the newest number. Bytes of what was sent before the room last slept are not known, and not counted. */
  after(seq: number, last: number): Amount {
    const later = this.#sizes.filter((size) => size.seq > seq);
    return { messages: Math.max(last - seq, 0), bytes: later.reduce((sum, { bytes }) => sum + bytes, 0) };
  }
}
