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
  readonly listeners: Set<Listener>;
}

export class Tails {
  readonly #tails = new Map<string, Tail>();

  /** Makes a tail of the Worker. Nobody listens yet. */
  open(worker: string, filters: readonly TailFilter[]): Tail {
    const tail = {
      id: newTag(),
      worker,
      filters,
      expiresAt: new Date(Date.now() + LIFETIME_MS),
      listeners: new Set<Listener>(),
    };
    this.#tails.set(tail.id, tail);
    return tail;
  }

  of(worker: string): Tail[] {
    return [...this.#tails.values()].filter((tail) => tail.worker === worker);
  }

  /** Ends the tail. False if there is none. */
  close(id: string): boolean {
    for (const listener of this.#tails.get(id)?.listeners ?? []) listener.close();
    return this.#tails.delete(id);
  }

  closeAll(): void {
    for (const id of [...this.#tails.keys()]) this.close(id);
  }

  /** Accepts a WebSocket for the tail with this id. The id proves that an authorised call asked for it. */
  accept(id: string, incoming: IncomingMessage, socket: Duplex): boolean {
    const tail = this.#tails.get(id);
    if (tail === undefined) return false;
    const listener = new Listener(incoming, socket, PROTOCOL, () => tail.listeners.delete(listener));
    tail.listeners.add(listener);
    return true;
  }

  /** Sends an event to all listeners of its Worker whose filters it passes. */
  publish(event: TailEvent): void {
    const message = JSON.stringify(event);
    for (const tail of this.of(event.scriptName).filter(({ filters }) => passes(filters, event, Math.random)))
      for (const listener of tail.listeners) listener.send(message);
  }
}
