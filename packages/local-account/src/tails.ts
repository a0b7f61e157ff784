/** Live logs of Workers for `wrangler tail`: one WebSocket per tail, one message per event. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { newTag } from "./ids.ts";
import { Listener } from "./listener.ts";
import { passes, type TailFilter } from "./tail-filters.ts";
import type { TailEvent } from "./traces.ts";

/** The WebSocket protocol that wrangler asks for. */
const PROTOCOL = "trace-v1";

/** How long a tail may stay open, as at Cloudflare. */
const LIFETIME_MS = 6 * 60 * 60 * 1_000;

interface Tail {
  readonly id: string;
  readonly worker: string;
  readonly filters: readonly TailFilter[];
  readonly expiresAt: Date;
  /** Ends it then. */
  readonly end: NodeJS.Timeout;
  /** Each with the number of events that it has missed since it does not read. */
  readonly listeners: Map<Listener, number>;
}

export class Tails {
  readonly #tails = new Map<string, Tail>();
  readonly #onEnd: (worker: string) => void;

  /** `onEnd` is told of each tail that ends. */
  constructor(onEnd: (worker: string) => void) {
    this.#onEnd = onEnd;
  }

  /** Makes a tail of the Worker. Nobody listens yet. */
  open(worker: string, filters: readonly TailFilter[]): Tail {
    const id = newTag();
    const tail = {
      id,
      worker,
      filters,
      expiresAt: new Date(Date.now() + LIFETIME_MS),
      end: setTimeout(() => this.close(id), LIFETIME_MS).unref(),
      listeners: new Map<Listener, number>(),
    };
    this.#tails.set(tail.id, tail);
    return tail;
  }

  of(worker: string): Tail[] {
    return [...this.#tails.values()].filter((tail) => tail.worker === worker);
  }

  /** Ends the tail. False if there is none. */
  close(id: string): boolean {
    const tail = this.#tails.get(id);
    if (tail === undefined) return false;
    clearTimeout(tail.end);
    for (const listener of tail.listeners.keys()) listener.close();
    this.#tails.delete(id);
    this.#onEnd(tail.worker);
    return true;
  }

  closeAll(): void {
    for (const id of [...this.#tails.keys()]) this.close(id);
  }

  /** Accepts a WebSocket for the tail with this id. The id proves that an authorised call asked for it. */
  accept(id: string, incoming: IncomingMessage, socket: Duplex): boolean {
    const tail = this.#tails.get(id);
    if (tail === undefined) return false;
    const listener = new Listener(incoming, socket, PROTOCOL, () => tail.listeners.delete(listener));
    tail.listeners.set(listener, 0);
    return true;
  }

  /** Sends an event to all listeners of its Worker whose filters it passes. */
  publish(event: TailEvent): void {
    const message = JSON.stringify(event);
    for (const tail of this.of(event.scriptName).filter(({ filters }) => passes(filters, event, Math.random)))
      for (const listener of tail.listeners.keys()) offer(tail, listener, message);
  }
}

/** Sends an event, or drops it if the client does not read. Then it is told so, and how many it has missed. */
function offer(tail: Tail, listener: Listener, message: string): void {
  const missed = tail.listeners.get(listener) ?? 0;
  if (missed > 0) tail.listeners.set(listener, missed + 1);
  else if (!listener.isBehind) listener.send(message);
  else {
    tail.listeners.set(listener, 1);
    listener.send(
      notice(tail, "overload", "This tail is not read as fast as events come. They are dropped until it is."),
    );
    listener.onceRead(() => {
      const dropped = tail.listeners.get(listener) ?? 0;
      tail.listeners.set(listener, 0);
      listener.send(notice(tail, "overload-stop", `This tail is read again. It has missed ${dropped} events.`));
    });
  }
}

/** What `wrangler tail` prints of the tail itself. */
const notice = ({ worker }: Tail, type: "overload" | "overload-stop", message: string): string =>
  JSON.stringify({
    outcome: "ok",
    scriptName: worker,
    exceptions: [],
    logs: [],
    eventTimestamp: Date.now(),
    event: { type, message },
  });
