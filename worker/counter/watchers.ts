/** The WebSockets that watch a count: each gets it at once, and after every change that is on disk. */
import { type Problem, problemResponse } from "../http/problem.ts";
import { Paced } from "../objects/paced.ts";
import {
  acceptSocket,
  answerAsleep,
  closeSocket,
  hasAll,
  openSockets,
  sendTo,
  switchTo,
  TRY_AGAIN,
} from "../objects/sockets.ts";

/** At most ten pushes a second to each watcher. */
const PUSH_INTERVAL_MS = 100;
/** The most watchers of a counter, and of them the most of one network address. */
const MAX_WATCHERS = 1_000;
const MAX_OF_ADDRESS = 250;
/** When a counter is full, a watcher who has not pinged for so long loses the place. A hidden page pings each minute. */
const SILENT_MS = 3 * 60 * 1_000;

const ADDRESS = "X-Address";

/** The request to a counter's object that opens a socket. `address`: the caller's (worker/http/address.ts). */
export const watchRequest = (address: string): Request =>
  new Request("https://counter/", { headers: { Upgrade: "websocket", [ADDRESS]: address } });

export class Watchers {
  readonly #ctx: DurableObjectState;
  readonly #shown: () => number;
  readonly #pushes = new Paced(PUSH_INTERVAL_MS, () => this.#pushNow());

  /** `shown`: the count that watchers may see. */
  constructor(ctx: DurableObjectState, shown: () => number) {
    this.#ctx = ctx;
    this.#shown = shown;
  }

  get isEmpty(): boolean {
    return openSockets(this.#ctx).length === 0;
  }

  /** Opens a WebSocket that gets the count at once, if there is a place for one more (`watchRequest`). */
  accept({ headers }: Request): Response {
    const now = Date.now();
    const address = `address:${headers.get(ADDRESS)}`;
    const full = this.#whyFull(address, now);
    if (full) return problemResponse(full);
    answerAsleep(this.#ctx, "ping", "pong");
    const { client, server } = acceptSocket(this.#ctx, { tags: [address], attachment: now });
    // No await since the socket was accepted, so that no newer count is sent before this one.
    sendTo(server, frame(this.#shown()));
    return switchTo(client);
  }

  #whyFull(address: string, now: number): Problem | undefined {
    if (hasAll(this.#ctx, address, MAX_OF_ADDRESS)) {
      const detail = `Your network address has ${MAX_OF_ADDRESS} connections to this counter already`;
      return { kind: "rate-limited", detail, headers: { "Retry-After": "10" } };
    }
    const open = openSockets(this.#ctx);
    if (open.length < MAX_WATCHERS || this.#closeSilent(open, now)) return undefined;
    const detail = `The counter is full: it has ${MAX_WATCHERS} watchers; try again later`;
    return { kind: "unavailable", detail, headers: { "Retry-After": "60" } };
  }

  /** Closes those who were silent for too long, half-open ones among them. False if there was none. */
  #closeSilent(open: readonly WebSocket[], now: number): boolean {
    const silent = open.filter((socket) => {
      const opened: number | null = socket.deserializeAttachment();
      const ping = this.#ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0;
      return now - Math.max(opened ?? 0, ping) > SILENT_MS;
    });
    for (const socket of silent) closeSocket(socket, TRY_AGAIN, 'Nothing was heard of you for a while: send "ping"');
    return silent.length > 0;
  }

  /** Sends the count to all, at once or as soon as the last push is long enough ago. */
  push(): void {
    if (!this.isEmpty) this.#pushes.soon();
  }

  #pushNow(): void {
    const shown = frame(this.#shown());
    for (const socket of openSockets(this.#ctx)) sendTo(socket, shown);
  }
}

const frame = (count: number) => JSON.stringify({ count });
