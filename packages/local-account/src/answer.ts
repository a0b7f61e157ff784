/** Gives the answer of a Worker to the client, as it comes. */
import type { ServerResponse } from "node:http";
import type { Dispatcher } from "undici";
import { forwarded } from "./hops.ts";

interface Listeners {
  /** Whether an answer reports an exception of the Worker. Then its body is the message, and the client does not get it. */
  readonly isThrown: (headers: Readonly<Record<string, unknown>>) => boolean;
  readonly onThrown: (message: string) => void;
  /** There is no answer, or not all of it. */
  readonly onLost: (error: Error) => void;
}

export class Answer implements Dispatcher.DispatchHandler {
  readonly #outgoing: ServerResponse;
  readonly #listeners: Listeners;
  #controller: Dispatcher.DispatchController | undefined;
  /** The message of an exception, as far as it has come. Its frames come with the trace (exceptions.ts). */
  #message: Buffer[] | undefined;
  #hasBody = false;
  #isOver = false;

  constructor(outgoing: ServerResponse, listeners: Listeners) {
    this.#outgoing = outgoing;
    this.#listeners = listeners;
  }

  /** Nobody wants the rest. */
  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#controller?.abort(new Error("the client has left"));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isOver) controller.abort(new Error("the client has left"));
  }

  onResponseStart(
    { rawHeaders }: Dispatcher.DispatchController,
    status: number,
    fields: Readonly<Record<string, unknown>>,
    statusText = "",
  ): void {
    if (status < 200) return;
    if (this.#listeners.isThrown(fields)) {
      this.#message = [];
      return;
    }
    const headers = forwarded(Array.isArray(rawHeaders) ? rawHeaders.map(textOf) : []);
    this.#outgoing.writeHead(status, bytesOf(statusText), headers);
    // Mostly the body comes in the same packet. If not, the client gets the head alone.
    process.nextTick(() => {
      if (!this.#hasBody && !this.#isOver) this.#outgoing.flushHeaders();
    });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#message !== undefined) {
      this.#message.push(chunk);
      return;
    }
    this.#hasBody = true;
    if (this.#outgoing.destroyed) this.abort();
    if (this.#isOver || this.#outgoing.write(chunk)) return;
    controller.pause();
    this.#outgoing.once("drain", () => controller.resume());
  }

  onResponseEnd(): void {
    this.#isOver = true;
    if (this.#message === undefined) this.#outgoing.end();
    else this.#listeners.onThrown(Buffer.concat(this.#message).toString());
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listeners.onLost(error);
  }
}

/** HTTP's headers are bytes; Node has them as Latin-1. */
const textOf = (raw: Buffer | string) => (typeof raw === "string" ? raw : raw.toString("latin1"));

/** undici reads this line as UTF-8. */
const bytesOf = (text: string) => Buffer.from(text).toString("latin1");
