/** HTTP's rules for who passes a message on. Pure. */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";

/** Headers that are about one connection and go no further (RFC 9110, 7.6.1), and `Expect`, which is answered here. */
const OF_CONNECTION = new Set([
  "connection",
  "expect",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Whether a header, in lower case, goes no further. `connection`: the message's header of this name, which may name more. */
export const isOfConnection = (name: string, connection?: string): boolean =>
  OF_CONNECTION.has(name) || (connection !== undefined && isNamed(name, connection));

const isNamed = (name: string, list: string) =>
  list.toLowerCase().includes(name) && list.split(",").some((one) => one.trim().toLowerCase() === name);

/** Whether a header is one by which the account, or Miniflare, tells workerd what to do. No client may send it. */
export const isAccounts = (name: string): boolean => /^(mf|account)-/.test(name);

/** The header in which Miniflare's assets tell `wrangler dev` what to log. */
const TO_WRANGLER = "x-mf-additional-response-log";

/** Raw headers of an answer, names and values in turn, without those that go no further. Repeated ones stay separate. */
export function forwarded(raw: readonly string[]): string[] {
  const headers: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const [name, value] = [raw[at] ?? "", raw[at + 1] ?? ""];
    const lower = name.toLowerCase();
    if (!isOfConnection(lower) && lower !== TO_WRANGLER) headers.push(name, value);
  }
  return headers;
}

/** A header's value as one text. Node makes an array of Set-Cookie, which a client may send too. */
export const joined = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(", ") : value;

/** Whether a request has a body (RFC 9112, 6.3). */
export const hasBody = (headers: IncomingHttpHeaders): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

/** Where a request goes. */
export interface Target {
  /** With the port. */
  readonly host: string;
  /** The path and the query. */
  readonly path: string;
}

/** Whether a request asks for a WebSocket (RFC 6455, 4.1). A server may ignore a wish for any other protocol. */
export const asksForWebSocket = ({ method, headers }: Pick<IncomingMessage, "method" | "headers">): boolean =>
  method === "GET" && headers.upgrade?.toLowerCase() === "websocket";

/**
 * The target of a request: a path, or a whole URL, whose host counts then and not that of the header (RFC 9112, 3.2.2).
 * Undefined if it is neither, or the host is none.
 */
export function targetOf(url: string, host = "localhost"): Target | undefined {
  if (url.startsWith("/")) return URL.canParse(`http://${host}/`) ? { host, path: url } : undefined;
  const whole = /^https?:\/\//i.test(url) ? URL.parse(url) : null;
  return whole === null ? undefined : { host: whole.host, path: `${whole.pathname}${whole.search}` };
}
