/**
 * A client may send the next requests of a connection before it has the last answer. A Worker gets them one after the
 * other (RFC 9112, 9.3.2), where Node begins all of them at once.
 */
import type { Duplex } from "node:stream";

export class Pipelining {
  /** The end of the last request of each connection. */
  readonly #last = new WeakMap<Duplex, Promise<void>>();

  /**
   * Resolves when the requests before this one are over; the client may have left by then. `answered`: the end of this
   * one. Nothing more is read while one waits, since a client could send more than the memory holds.
   */
  async turn(socket: Duplex, answered: Promise<void>): Promise<void> {
    const before = this.#last.get(socket);
    const isLast = () => this.#last.get(socket) === answered;
    this.#last.set(socket, answered);
    void answered.then(() => isLast() && this.#last.delete(socket));
    if (before === undefined) return;
    let waits = true;
    // Not at once: Node reads on after each request.
    setImmediate(() => waits && socket.pause());
    await before;
    waits = false;
    if (isLast()) socket.resume();
  }
}
