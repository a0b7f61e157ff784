/** Who is there while a release goes out: a caller who asks again and again, and WebSockets that are held open. */
import { setTimeout as pause } from "node:timers/promises";
import type { Client, Socket } from "../smoke/client.ts";
import { member } from "../smoke/expect.ts";

/** How a deployment looked to a caller who kept asking. */
export interface Asked {
  readonly requests: number;
  readonly failed: number;
  /** Milliseconds from the last answer of the older release to the first of the newer; undefined: it never answered. */
  readonly firstAnswerMs: number | undefined;
}

/** Between two questions; the figures are no finer than this. */
const ASK_EVERY_MS = 10;

/**
 * Asks `/health` until `done`, and then until the release `digest` answers or a question takes too long. Where `done`
 * fails, so does this.
 */
export async function ask(client: Client, digest: string, done: Promise<unknown>): Promise<Asked> {
  let over = false;
  const stop = () => {
    over = true;
  };
  done.then(stop, stop);
  let requests = 0;
  let failed = 0;
  let lastOld = performance.now();
  let firstNew: number | undefined;
  while (!over) {
    requests++;
    const served = await servedBy(client);
    if (served === undefined) failed++;
    else if (served !== digest) lastOld = performance.now();
    else firstNew ??= performance.now();
    await pause(ASK_EVERY_MS);
  }
  await done;
  if (firstNew === undefined && (await servedBy(client)) === digest) firstNew = performance.now();
  return { requests, failed, firstAnswerMs: firstNew && Math.round(firstNew - lastOld) };
}

async function servedBy(client: Client): Promise<unknown> {
  try {
    const { status, body } = await client.call("/health");
    return status === 200 ? member(body, "digest") : undefined;
  } catch {
    return undefined;
  }
}

/** What became of the WebSockets of one class. */
export interface HeldOpen {
  readonly open: number;
  readonly dropped: number;
  readonly reconnected: number;
  /** Milliseconds from its end to the next connection, of the slowest one. */
  readonly slowestMs: number;
}

const RECONNECT_EVERY_MS = 50;
/** After this long nobody waits for a chat room any more. */
const GIVE_UP_MS = 15_000;

/** A WebSocket whose holder connects again whenever it ends. */
class HeldSocket {
  dropped = 0;
  reconnected = 0;
  slowestMs = 0;
  #socket: Socket;
  #released = false;
  #away: Promise<void> = Promise.resolve();
  readonly #connect: () => Promise<Socket>;

  private constructor(socket: Socket, connect: () => Promise<Socket>) {
    this.#socket = socket;
    this.#connect = connect;
    this.#watch();
  }

  static async open(connect: () => Promise<Socket>): Promise<HeldSocket> {
    return new HeldSocket(await connect(), connect);
  }

  /** Lets go of it, and waits before that until it is connected again, or has given up: but not where `isGone`. */
  async release(isGone: boolean): Promise<void> {
    this.#released = isGone;
    await this.#away;
    this.#released = true;
    this.#socket.close();
  }

  #watch(): void {
    void this.#socket.closed.then(() => {
      if (!this.#released) this.#away = this.#reconnect();
    });
  }

  async #reconnect(): Promise<void> {
    this.dropped++;
    const since = performance.now();
    while (!this.#released && performance.now() - since < GIVE_UP_MS) {
      try {
        this.#socket = await this.#connect();
        this.reconnected++;
        this.slowestMs = Math.max(this.slowestMs, Math.round(performance.now() - since));
        return this.#watch();
      } catch {
        await pause(RECONNECT_EVERY_MS);
      }
    }
  }
}

/**
 * Opens a WebSocket with each of `connects`. The function that is returned lets go of them and says what became of
 * them; `isGone`: that there is nothing any more to connect to.
 */
export async function hold(
  connects: readonly (() => Promise<Socket>)[],
): Promise<(isGone: boolean) => Promise<HeldOpen>> {
  const sockets = await Promise.all(connects.map((connect) => HeldSocket.open(connect)));
  return async (isGone) => {
    await Promise.all(sockets.map((socket) => socket.release(isGone)));
    const sum = (of: (socket: HeldSocket) => number) => sockets.reduce((total, socket) => total + of(socket), 0);
    return {
      open: sockets.length,
      dropped: sum(({ dropped }) => dropped),
      reconnected: sum(({ reconnected }) => reconnected),
      slowestMs: Math.max(0, ...sockets.map(({ slowestMs }) => slowestMs)),
    };
  };
}
