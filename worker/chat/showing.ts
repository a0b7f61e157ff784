/** Sends new messages to readers: in as few frames as possible to those who take batches, one frame each to the others. */
import { MESSAGES_PER_FRAME } from "./limits.ts";
import type { Message } from "./protocol.ts";
import { type Amount, Recent } from "./readers.ts";
import { type Written, written } from "./written.ts";

/** The sockets that get new messages. */
export interface Listeners {
  readers(): WebSocket[];
  batched(): ReadonlySet<WebSocket>;
  deliverAll(sockets: readonly WebSocket[], frames: readonly Written[], messages: number): void;
}

export class Showing {
  readonly #listeners: Listeners;
  readonly #recent = new Recent();

  constructor(listeners: Listeners) {
    this.#listeners = listeners;
  }

  /** How much was sent after a number; undefined if no message has this number yet. */
  after(seq: number, last: number): Amount | undefined {
    return seq > last ? undefined : this.#recent.after(seq, last);
  }

  show(messages: readonly Message[], readers: readonly WebSocket[]): void {
    if (messages.length === 0) return;
    const single = messages.map((message) => {
      const frame = written({ type: "message", message });
      this.#recent.add(message.seq, frame.bytes);
      return frame;
    });
    const batched = messages.length > 1 ? this.#listeners.batched() : new Set<WebSocket>();
    if (batched.size > 0) {
      const frames = partsOf(messages, MESSAGES_PER_FRAME).map((part) => written({ type: "messages", messages: part }));
      const takers = readers.filter((socket) => batched.has(socket));
      this.#listeners.deliverAll(takers, frames, messages.length);
    }
    const others = readers.filter((socket) => !batched.has(socket));
    this.#listeners.deliverAll(others, single, messages.length);
  }
}

function partsOf<T>(items: readonly T[], size: number): T[][] {
  const parts = Array.from({ length: Math.ceil(items.length / size) }, (_, index) => index * size);
  return parts.map((from) => items.slice(from, from + size));
}
