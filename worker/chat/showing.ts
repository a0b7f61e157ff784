/** Sends new messages to readers: in as few frames as possible to those who take batches, one frame each to the others. */
import { bytesOf } from "./audience.ts";
import { MESSAGES_PER_FRAME } from "./limits.ts";
import type { Message, ServerFrame } from "./protocol.ts";
import { type Amount, Recent } from "./readers.ts";

/** The sockets that get new messages. */
export interface Listeners {
  readers(): WebSocket[];
  batched(): ReadonlySet<WebSocket>;
  deliver(sockets: readonly WebSocket[], frame: ServerFrame, messages?: number): void;
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

  show(messages: readonly Message[], audience: readonly WebSocket[]): void {
    for (const message of messages) this.#recent.add(message.seq, bytesOf(JSON.stringify(message)));
    const batched = messages.length > 1 ? this.#listeners.batched() : new Set<WebSocket>();
    for (const part of batched.size > 0 ? partsOf(messages, MESSAGES_PER_FRAME) : []) {
      this.#listeners.deliver(
        audience.filter((socket) => batched.has(socket)),
        { type: "messages", messages: part },
        part.length,
      );
    }
    const others = audience.filter((socket) => !batched.has(socket));
    for (const message of messages) this.#listeners.deliver(others, { type: "message", message }, 1);
  }
}

function partsOf<T>(items: readonly T[], size: number): T[][] {
  const parts = Array.from({ length: Math.ceil(items.length / size) }, (_, index) => index * size);
  return parts.map((from) => items.slice(from, from + size));
}
