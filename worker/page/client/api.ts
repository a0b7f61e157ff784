/**
 * Calls to this Worker's own API. An answer is a value, never an exception: the panels show refusals like any other
 * answer. Calls that change something have an idempotency key: if the answer was lost, the call is made again and does
 * not count twice.
 */
import { textOf } from "./read.ts";

export interface Answer {
  ok: boolean;
  /** 0 if no answer came. */
  status: number;
  body: unknown;
  headers: Headers;
  /** Milliseconds from call to answer. */
  ms: number;
  /** Why the call was refused, as a sentence for the visitor. */
  message: string;
}

export interface Call {
  method?: "GET" | "POST" | "DELETE";
  /** The body, sent as JSON. */
  json?: unknown;
  /** A body that is sent as it is. */
  bytes?: Uint8Array<ArrayBuffer>;
  /** Sent as `Authorization: Bearer`. */
  token?: string;
  /** Whether the route takes an idempotency key. */
  once?: boolean;
}

/** The URL of a WebSocket of this Worker. */
export function socketUrl(path: string): string {
  return new URL(path, location.origin.replace("http", "ws")).href;
}

/** How long a refused call has to wait, if the answer says so (ms). */
export const waitOf = ({ headers }: Answer): number => (Number(headers.get("Retry-After")) || 0) * 1_000;

type Watcher = (answer: Answer) => void;
const watchers: Watcher[] = [];

/** Calls `watcher` with every answer to any panel. */
export function watchAnswers(watcher: Watcher): void {
  watchers.push(watcher);
}

export async function call(path: string, options: Call = {}): Promise<Answer> {
  const request = requestOf(options);
  let answer = await attempt(path, request);
  if (answer.status === 0 && (options.once || request.method === "GET")) answer = await attempt(path, request);
  for (const watcher of watchers) watcher(answer);
  return answer;
}

function requestOf({ method, json, bytes, token, once }: Call): RequestInit {
  const headers = new Headers();
  const body = json === undefined ? bytes : JSON.stringify(json);
  if (body) headers.set("Content-Type", json === undefined ? "application/octet-stream" : "application/json");
  if (token) headers.set("Authorization", `Bearer ${token}`);
  if (once) headers.set("Idempotency-Key", crypto.randomUUID());
  return {
    method: method ?? (body ? "POST" : "GET"),
    headers,
    ...(body && { body }),
  };
}

async function attempt(path: string, request: RequestInit): Promise<Answer> {
  const start = performance.now();
  try {
    const response = await fetch(path, request);
    const body: unknown = await response.json().catch(() => undefined);
    const { ok, status, headers } = response;
    const ms = performance.now() - start;
    return {
      ok,
      status,
      body,
      headers,
      ms,
      message: ok ? "" : (textOf(body, "detail") ?? `The Worker answered ${status}.`),
    };
  } catch {
    const message = "The Worker did not answer. Are you online?";
    return { ok: false, status: 0, body: undefined, headers: new Headers(), ms: performance.now() - start, message };
  }
}
