/** Helpers of the patterns' tests: calls to the Worker, like a client's. */
import { createExecutionContext } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import type { Hono } from "hono";
import { onTestFinished } from "vitest";
import { newApiKey, storedAt } from "../../contract/api-keys.ts";
import type { App } from "../../worker/http/context.ts";
import app from "../../worker/index.ts";

const ORIGIN = "https://stack.test";

/** The admin token of the stack under test. */
export const ADMIN = { Authorization: `Bearer ${env.ADMIN_TOKEN}` };

/** An id that no other test uses. */
export const unique = () => crypto.randomUUID();

/** The header of a caller who shows this token. */
export const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

/** The header of a new API key with these grants. */
export async function keyWith(...grants: readonly string[]): Promise<{ "X-API-Key": string }> {
  const key = newApiKey();
  await env.READS.put((await storedAt(key)) ?? "", JSON.stringify({ id: unique(), grants }));
  return { "X-API-Key": key };
}

/** A new address for each call, so that tests do not share a bucket of the rate limiter. */
function newAddress(): string {
  return `10.${crypto.getRandomValues(new Uint8Array(3)).join(".")}`;
}

export interface Call {
  method?: string;
  /** Sent as JSON. A string is sent unchanged. */
  json?: unknown;
  headers?: Record<string, string>;
  /** Changes to the stack's settings. */
  settings?: object;
  /** Another region table. */
  regions?: object;
  /** An app other than the Worker's own. */
  to?: Hono<App>;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: unknown;
}

/** One request to the Worker. Reads the answer to its end. */
export async function call(
  path: string,
  { method, json, headers = {}, settings, regions, to }: Call = {},
): Promise<Answer> {
  const request = new Request(new URL(path, ORIGIN), {
    method: method ?? (json === undefined ? "GET" : "POST"),
    headers: {
      "CF-Connecting-IP": newAddress(),
      ...(json !== undefined && { "Content-Type": "application/json" }),
      ...headers,
    },
    ...(json !== undefined && { body: typeof json === "string" ? json : JSON.stringify(json) }),
  });
  const stack = { ...env, SETTINGS: { ...env.SETTINGS, ...settings }, REGIONS: regions ?? env.REGIONS };
  const asItIs = settings === undefined && regions === undefined && to === undefined;
  const response = asItIs
    ? await exports.default.fetch(request)
    : await (to ?? app).fetch(request, stack, createExecutionContext());
  const text = await response.text();
  const isJson = response.headers.get("Content-Type")?.includes("json");
  return { status: response.status, headers: response.headers, body: isJson && text ? JSON.parse(text) : text };
}

/** A request to the Worker from a new address. */
export function fetchApp(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (!headers.has("CF-Connecting-IP")) headers.set("CF-Connecting-IP", newAddress());
  return exports.default.fetch(new Request(`${ORIGIN}${path}`, { ...init, headers }));
}

/** Connects a client socket. */
export async function connect(path: string): Promise<Socket> {
  const response = await exports.default.fetch(new URL(path, ORIGIN), {
    headers: { Upgrade: "websocket", "CF-Connecting-IP": newAddress() },
  });
  if (!response.webSocket) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  const socket = new Socket(response.webSocket);
  onTestFinished(() => socket.close());
  return socket;
}

/** The client's end of a WebSocket. Its frames can be awaited one by one. */
export class Socket {
  readonly #socket: WebSocket;
  readonly #frames: string[] = [];
  readonly #waiting: ((frame: string) => void)[] = [];
  /** Resolves with the close code. */
  readonly closed: Promise<number>;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const waiting = this.#waiting.shift();
      if (waiting) waiting(String(data));
      else this.#frames.push(String(data));
    });
    this.closed = new Promise((resolve) => socket.addEventListener("close", ({ code }) => resolve(code)));
    socket.accept();
  }

  /** The next frame, as text. */
  async text(): Promise<string> {
    const frame = this.#frames.shift();
    return frame ?? new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The next frame, as JSON. */
  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  send(frame: string | ArrayBuffer): void {
    this.#socket.send(frame);
  }

  close(): void {
    this.#socket.close(1000, "done");
  }
}
