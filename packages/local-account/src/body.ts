/** The body of a request to the front door, of which the first bytes are kept so that it can be sent again. */
import type { IncomingMessage } from "node:http";
import { PassThrough, type Readable } from "node:stream";

/** A longer body is not kept. */
const MOST_KEPT = 1_048_576;

export class Body {
  readonly #incoming: IncomingMessage;
  #kept: Buffer[] | undefined = [];
  #size = 0;
  #stream: PassThrough | undefined;

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
   * A stream of what is kept, and of the rest as it comes; the one before gets nothing more. If it is closed early, the
   * rest is read and dropped: a client that still sends would not see its answer. Only while `canBeRepeated`.
   */
  stream(): Readable {
    const stream = new PassThrough();
    const before = this.#stream;
    this.#stream = stream;
    if (before !== undefined) {
      // Nobody may read from it any more, and then it would hold up the rest.
      this.#incoming.unpipe(before);
      before.destroy();
    }
    for (const chunk of this.#kept ?? []) stream.write(chunk);
    if (this.#incoming.readableEnded) stream.end();
    else this.#incoming.pipe(stream);
    return stream.once("close", () => {
      if (this.#stream === stream) this.#incoming.resume();
    });
  }
}
