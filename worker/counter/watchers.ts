/** The WebSockets that watch a count: each gets it at once, and after every change that is on disk. */
import { problemResponse } from "../http/problem.ts";
import { acceptSocket, answerAsleep, openSockets, sendTo, switchTo } from "../objects/sockets.ts";

/** At most ten pushes a second to each watcher. */
const PUSH_INTERVAL_MS = 100;
const MAX_WATCHERS = 1_000;

export class Watchers {
  readonly #ctx: DurableObjectState;
  readonly #shown: () => number;
  #pushedAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `shown`: the count that watchers may see. */
  constructor(ctx: DurableObjectState, shown: () => number) {
    this.#ctx = ctx;
    this.#shown = shown;
  }

  get isEmpty(): boolean {
    return openSockets(this.#ctx).length === 0;
  }

  /** The answer if there is no place for one more. */
  get whyFull(): Response | undefined {
    if (this.#ctx.getWebSockets().length < MAX_WATCHERS) return undefined;
    return problemResponse({ kind: "unavailable", detail: `This counter already has ${MAX_WATCHERS} watchers` });
  }

  /** Opens a WebSocket that gets the count at once. */
  accept(): Response {
    answerAsleep(this.#ctx, "ping", "pong");
    const { client, server } = acceptSocket(this.#ctx);
    // No await since the socket was accepted, so that no newer count is sent before this one.
    sendTo(server, frame(this.#shown()));
    return switchTo(client);
  }

  /** Sends the count to all, at once or as soon as the last push is long enough ago. */
  push(): void {
    const sockets = openSockets(this.#ctx);
    if (sockets.length === 0 || this.#timer !== undefined) return;
    const now = Date.now();
    const wait = this.#pushedAt + PUSH_INTERVAL_MS - now;
    if (wait > 0 && wait <= PUSH_INTERVAL_MS) {
      // This timer keeps the object awake for a tenth of a second, and only after a change.
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.push();
      }, wait);
      return;
    }
    this.#pushedAt = now;
    const shown = frame(this.#shown());
    for (const socket of sockets) sendTo(socket, shown);
  }
}

const frame = (count: number) => JSON.stringify({ count });
