/** A plain client of a deployed Worker, as anybody could write it: HTTP and WebSocket, and nothing of ours. */
import { setTimeout as pause } from "node:timers/promises";
import { EdgeAnswer, isOfEdge } from "./edge.ts";

const TIMEOUT_MS = 15_000;
/**
 * How many seconds an answer of this status may put off a call, in all: of a busy rate limiter, and of an object (the
 * limiter's own, too) that cannot answer at the moment. An outage that lasts is to be told soon.
 */
const PATIENCE_SECONDS: ReadonlyMap<number, number> = new Map([
  [429, 60],
  [503, 5],
]);
/** How often a WebSocket is tried, and the pause before it is tried again. */
const MOST_TRIES = 3;
const AGAIN_MS = 1_000;

/** After how many seconds the answer asks to come again; undefined: it does not say. */
function secondsToWait({ headers }: Response): number | undefined {
  const seconds = Number(headers.get("Retry-After"));
  return seconds >= 1 ? seconds : undefined;
}

export interface Call {
  method?: string;
  json?: unknown;
  /** A body that is not JSON; its type goes with the headers. */
  text?: string | Uint8Array<ArrayBuffer>;
  token?: string | undefined;
  headers?: Record<string, string>;
  /** Whether a 429 is an answer, rather than a reason to come back when it says. */
  limited?: boolean;
}

export interface Answer {
  status: number;
  headers: Headers;
  /** The JSON of the body, else its text. */
  body: unknown;
  /** The token that the call carried. */
  token?: string | undefined;
}

export class Client {
  readonly base: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;

  /** `headers`: sent with every call. `timeoutMs`: how long one answer may take. */
  constructor(base: URL, headers: Readonly<Record<string, string>> = {}, timeoutMs = TIMEOUT_MS) {
    this.base = base;
    this.#headers = headers;
    this.#timeoutMs = timeoutMs;
  }

  async call(path: string, call: Call = {}): Promise<Answer> {
    const response = await this.answer(path, call);
    const text = await response.text();
    const isJson = response.headers.get("Content-Type")?.includes("json");
    const { status, headers } = response;
    return { status, headers, body: isJson ? JSON.parse(text) : text, token: call.token };
  }

  /**
   * The answer to a call, whose body nobody has read; a refused one comes back when the answer says, as often as its
   * patience has room. @throws EdgeAnswer where it is not the Worker's.
   */
  async answer(path: string, call: Call = {}): Promise<Response> {
    const waited = new Map<number, number>();
    for (;;) {
      const response = await this.#once(path, call);
      const { status } = response;
      const seconds = secondsToWait(response);
      if (seconds === undefined || (status === 429 && call.limited)) return response;
      const total = (waited.get(status) ?? 0) + seconds;
      if (total > (PATIENCE_SECONDS.get(status) ?? 0)) return response;
      waited.set(status, total);
      await response.body?.cancel();
      await pause(seconds * 1_000);
    }
  }

  async #once(path: string, call: Call): Promise<Response> {
    const { method, json, text: body, token, headers = {} } = call;
    const response = await fetch(new URL(path, this.base), {
      method: method ?? (json === undefined && body === undefined ? "GET" : "POST"),
      headers: {
        ...this.#headers,
        ...(json !== undefined && { "Content-Type": "application/json" }),
        ...bearer(token),
        ...headers,
      },
      ...(body !== undefined && { body }),
      ...(json !== undefined && { body: JSON.stringify(json) }),
      redirect: "manual",
      signal: AbortSignal.timeout(this.#timeoutMs),
    });
    if (isOfEdge(response.status)) {
      await response.body?.cancel();
      throw new EdgeAnswer(`${path} is answered ${response.status} by Cloudflare's edge, and not by the Worker`);
    }
    return response;
  }

  /** A WebSocket that is about to open, for frames that are not JSON. */
  open(path: string, { token }: Pick<Call, "token"> = {}): WebSocket {
    const url = new URL(path, this.base);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return new WebSocket(url.href, { headers: { ...this.#headers, ...bearer(token) } });
  }

  /** A connected WebSocket, as `opened` has it. */
  connect(path: string, call: Pick<Call, "token"> = {}): Promise<Socket> {
    return this.opened(path, call, () => this.#connect(path, call));
  }

  /**
   * What `open` makes of a WebSocket, at the third try at the latest: one may meet the moment of a deployment. Where the
   * rate limiter has refused it, it comes back when that says. @throws as `call` does where nothing answers.
   */
  async opened<Made>(path: string, call: Pick<Call, "token">, open: () => Promise<Made>): Promise<Made> {
    for (let tries = 1; ; tries++) {
      try {
        return await open();
      } catch (error) {
        if (tries === MOST_TRIES) throw error;
        // A WebSocket does not tell why it was refused; the same request without an upgrade does, and waits.
        const { status } = await this.call(path, { ...call, limited: true });
        if (status === 429) await this.call(path, call);
        // The last token may have gone to this very request.
        else await pause(AGAIN_MS);
      }
    }
  }

  async #connect(path: string, { token }: Pick<Call, "token">): Promise<Socket> {
    const socket = new Socket(this.open(path, { token }), path, this.#timeoutMs);
    await socket.opened;
    return socket;
  }
}

const bearer = (token: string | undefined) => token !== undefined && { Authorization: `Bearer ${token}` };

/** A WebSocket whose JSON frames are awaited by what they look like; those before the awaited one are passed over. */
export class Socket {
  readonly #socket: WebSocket;
  readonly #timeoutMs: number;
  readonly #frames: unknown[] = [];
  #arrived = Promise.withResolvers<void>();
  readonly opened: Promise<void>;
  /** Resolves when the connection has ended, whoever ended it. */
  readonly closed: Promise<void>;

  constructor(socket: WebSocket, url: string, timeoutMs = TIMEOUT_MS) {
    this.#socket = socket;
    this.#timeoutMs = timeoutMs;
    this.closed = new Promise((resolve) => socket.addEventListener("close", () => resolve()));
    this.opened = within(
      new Promise((resolve, reject) => {
        socket.addEventListener("open", () => resolve());
        socket.addEventListener("error", () => reject(new Error(`${url} does not open a WebSocket`)));
      }),
      `${url} to open`,
      timeoutMs,
    );
    // One that is left to connect keeps the process alive for minutes.
    this.opened.catch(() => socket.close());
    socket.addEventListener("message", ({ data }) => {
      // A frame of bytes is not for `next`.
      if (typeof data === "string") this.#frames.push(JSON.parse(data));
      this.#arrived.resolve();
    });
  }

  /** The next frame that `matches`. */
  async next(what: string, matches: (frame: unknown) => boolean): Promise<unknown> {
    const search = async (): Promise<unknown> => {
      for (;;) {
        while (this.#frames.length > 0) {
          const frame = this.#frames.shift();
          if (matches(frame)) return frame;
        }
        this.#arrived = Promise.withResolvers();
        await this.#arrived.promise;
      }
    };
    return within(search(), what, this.#timeoutMs);
  }

  send(frame: unknown): void {
    this.#socket.send(JSON.stringify(frame));
  }

  close(): void {
    this.#socket.close(1000);
  }
}

/**
 * Waits for work, but not for ever.
 * @throws DOMException of the name TimeoutError, as `fetch` does: a connection that was lost does not say so.
 */
export async function within<T>(work: Promise<T>, what: string, timeoutMs = TIMEOUT_MS): Promise<T> {
  const over = new AbortController();
  const late = pause(timeoutMs, undefined, { signal: over.signal }).then(() => {
    throw new DOMException(`waited ${timeoutMs / 1_000} s for ${what}`, "TimeoutError");
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    late.catch(() => undefined);
    over.abort();
  }
}
