/** The body of a request to the front door, of which the first bytes are kept so that it can be sent again. */
import type { IncomingMessage } from "node:http";
import type { Writable } from "node:stream";

/** A longer body is not kept. */
const MOST_KEPT = 1_048_576;

export class Body {
  readonly #incoming: IncomingMessage;
  #kept: Buffer[] | undefined = [];
  #size = 0;

  constructor(incoming: IncomingMessage) {
    this.#incoming = incoming;
    incoming.on("data", (chunk: Buffer) => {
      this.#size += chunk.length;
      if (this.#size > MOST_KEPT) this.#kept = undefined;
      else this.#kept?.push(chunk);
    });
  }

  /** Whether everything that has come is kept. */
  get canBeRepeated(): boolean {
    return this.#kept !== undefined;
  }

  /**
   * Sends what is kept, and the rest as it comes. Returns the stream. If it closes early, the rest is read and dropped:
   * a client that still sends would not see its answer.
   */
  sendTo<T extends Writable>(upstream: T): T {
    for (const chunk of this.#kept ?? []) upstream.write(chunk);
    if (this.#incoming.readableEnded) upstream.end();
    else this.#incoming.pipe(upstream);
    upstream.once("close", () => this.#incoming.resume());
    return upstream;
  }
}
