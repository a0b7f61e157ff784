/** A relay's copy of the messages that are kept, in memory. Plain logic. */
import type { Page, Range } from "./history.ts";
import type { Message } from "./protocol.ts";

export interface CopyLimits {
  readonly historyLimit: number;
  readonly retentionMs: number | undefined;
}

export class Copy {
  readonly #limits: CopyLimits;
  #messages: Message[] = [];
  #first = 1;
  #last = 0;

  constructor(limits: CopyLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#messages.length;
  }

  /** Adds messages. `first` and `last`: the oldest number that the home keeps, and the newest that is here. */
  add(messages: readonly Message[], { first, last }: Omit<Page, "messages">): void {
    this.#messages.push(...messages);
    this.#last = last;
    this.#drop(Math.max(first, last - this.#limits.historyLimit + 1));
  }

  /** Deletes the text and the attachment of a message. */
  blank(seq: number): void {
    this.#messages = this.#messages.map((message) => (message.seq === seq ? blanked(message) : message));
  }

  /** The numbers up to `last` of messages that were deleted. */
  deleted(last: number): number[] {
    return this.#messages.flatMap(({ seq, deleted }) => (deleted && seq <= last ? [seq] : []));
  }

  page({ after = 0, limit }: Range, now: number): Page {
    const { retentionMs } = this.#limits;
    // Order is by number: everything before a message that is too old is too old as well.
    const aged =
      retentionMs === undefined ? -1 : this.#messages.findLastIndex(({ timestamp }) => timestamp <= now - retentionMs);
    this.#drop((this.#messages[aged]?.seq ?? 0) + 1);
    const from = this.#messages.findIndex(({ seq }) => seq > after);
    const messages = from < 0 ? [] : this.#messages.slice(from, from + limit);
    return { messages, first: this.#first, last: this.#last };
  }

  #drop(first: number): void {
    this.#first = Math.max(this.#first, first);
    const gone = this.#messages.findIndex(({ seq }) => seq >= this.#first);
    this.#messages.splice(0, gone < 0 ? this.#messages.length : gone);
  }
}

/** A message after its deletion, as History.blank leaves its row. */
const blanked = ({ attachment: _, ...message }: Message): Message => ({ ...message, text: "", deleted: true });
