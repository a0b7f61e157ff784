/**
 * Prints the exceptions of Workers, each once. Two tell of an exception of a request: the front door, which knows that
 * it got no answer, and the trace of the event, which has the frames and comes a little later or earlier.
 */
import { describeExceptions, type TailEvent } from "./traces.ts";

/** How long the two may be apart. */
const APART_MS = 1_000;

export class Exceptions {
  readonly #print: (text: string) => void;
  /** The messages of the traces that have come lately, and of the front door's exceptions that wait for theirs. */
  readonly #traced = new Map<string, NodeJS.Timeout>();
  readonly #waiting = new Map<string, NodeJS.Timeout>();

  constructor(print: (text: string) => void) {
    this.#print = print;
  }

  /** An event has ended, with or without exceptions. */
  traced(event: TailEvent): void {
    for (const text of describeExceptions(event)) this.#print(text);
    for (const { message } of event.exceptions) {
      const key = `${event.scriptName} ${message}`;
      clearTimeout(this.#waiting.get(key));
      if (!this.#waiting.delete(key)) keep(this.#traced, key, () => {});
    }
  }

  /** A request got no answer because the Worker threw this. */
  thrown(service: string, message: string): void {
    const [worker] = service.split("@", 1);
    const key = `${worker} ${message}`;
    if (this.#traced.has(key)) return;
    keep(this.#waiting, key, () => this.#print(`${worker} threw: ${message}`));
  }
}

function keep(timers: Map<string, NodeJS.Timeout>, key: string, after: () => void): void {
  clearTimeout(timers.get(key));
  const timer = setTimeout(() => {
    timers.delete(key);
    after();
  }, APART_MS);
  timers.set(key, timer.unref());
}
