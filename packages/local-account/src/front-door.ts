/**
 * The front door of deployed Workers: one HTTP server on loopback. It finds the Worker by the request's host, and
 * passes the request on to workerd, WebSockets too. It stays open while workerd restarts; requests wait meanwhile.
 */
import { randomBytes } from "node:crypto";
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream";
import type { Account } from "./account.ts";
import type { Invocation, Invocations } from "./invocations.ts";
import type { Version, Worker } from "./model.ts";
import { target } from "./routing.ts";
import { serviceName } from "./runtime/projection.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { KEY_HEADER, OVERRIDE_HEADER, versionFor } from "./traffic.ts";

interface FrontDoorOptions {
  readonly account: Account;
  /** Gets every request that reached a Worker. */
  readonly invocations: Invocations;
  readonly defaultWorker: string | undefined;
  /** Gets the stack of a Worker's exception, for the person at the terminal. */
  readonly onException: (worker: string, error: string) => void;
}

/** The server, which does not listen yet. */
export function frontDoor(options: FrontDoorOptions): Server {
  const agent = new Agent({ keepAlive: true });
  const server = createServer(async (incoming, outgoing) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    outgoing.on("close", resolve);
    const found = await admit(options, incoming, promise);
    if ("reason" in found) answer(outgoing, 404, `${found.reason}\n`);
    else forward({ ...options, agent, ...found }, incoming, outgoing);
  });
  server.on("upgrade", async (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    const found = await admit(options, incoming, Promise.resolve());
    if ("reason" in found) refuse(socket, "404 Not Found", `${found.reason}\n`);
    else upgrade({ ...options, ...found }, { incoming, socket, head });
  });
  server.on("close", () => agent.destroy());
  return server;
}

/** The target of a request: the version, and its service in the runtime. */
interface Found {
  readonly service: string;
  readonly worker: Worker;
  readonly version: Version;
}

/** Records the outcome of a request, once. */
function noting({ invocations, worker, version }: FrontDoorOptions & Found) {
  const at = Date.now();
  const began = performance.now();
  let isNoted = false;
  return (status: Invocation["status"], httpStatus: number | undefined) => {
    if (isNoted) return;
    isNoted = true;
    const wallMs = performance.now() - began;
    invocations.add({ at, script: worker.name, versionId: version.id, status, httpStatus, wallMs });
  };
}

/** Passes a request on to a version. */
function forward(
  options: FrontDoorOptions & Found & { readonly agent: Agent },
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): void {
  const { agent, service } = options;
  const note = noting(options);
  const upstream = request(options.account.runtime.entry, {
    agent,
    method: incoming.method,
    path: incoming.url,
    headers: headersFor(incoming, options.account.runtime, service),
  });
  upstream.on("response", (response) => {
    if (options.account.runtime.isThrown(response.headers)) {
      note("scriptThrewException", undefined);
      thrown(options, service, response, outgoing);
      return;
    }
    outgoing.on("finish", () => note("success", response.statusCode));
    outgoing.writeHead(response.statusCode ?? 502, response.statusMessage, pairs(response.rawHeaders));
    pipeline(response, outgoing, () => {});
  });
  upstream.on("error", (error) => {
    if (outgoing.headersSent) outgoing.destroy();
    else answer(outgoing, 502, `The runtime did not answer: ${error.message}\n`);
  });
  outgoing.on("close", () => {
    note("clientDisconnected", undefined);
    upstream.destroy();
  });
  pipeline(incoming, upstream, () => {});
}

interface Upgrade {
  readonly incoming: IncomingMessage;
  readonly socket: Duplex;
  /** The bytes that the client sent after the headers. */
  readonly head: Buffer;
}

/** The same for a WebSocket. */
function upgrade(options: FrontDoorOptions & Found, { incoming, socket, head }: Upgrade): void {
  const { account, service } = options;
  const note = noting(options);
  const upstream = request(account.runtime.entry, {
    method: incoming.method,
    path: incoming.url,
    headers: headersFor(incoming, account.runtime, service),
  });
  upstream.on("upgrade", (response, upstreamSocket, upstreamHead) => {
    note("success", response.statusCode);
    socket.write(rawHead(response));
    socket.write(upstreamHead);
    upstreamSocket.write(head);
    pipeline(socket, upstreamSocket, socket, () => {
      socket.destroy();
      upstreamSocket.destroy();
    });
  });
  upstream.on("response", (response) => {
    note(account.runtime.isThrown(response.headers) ? "scriptThrewException" : "success", response.statusCode);
    socket.write(rawHead(response));
    pipeline(response, socket, () => socket.destroy());
  });
  upstream.on("error", (error) => refuse(socket, "502 Bad Gateway", `The runtime did not answer: ${error.message}\n`));
  socket.on("close", () => upstream.destroy());
  upstream.end();
}

/** The target of a request, once the gate is open. From then on a restart waits for `finished`, up to its limit. */
async function admit(options: FrontDoorOptions, incoming: IncomingMessage, finished: Promise<void>) {
  const { runtime } = options.account;
  for (;;) {
    await runtime.open();
    const found = await find(options, incoming);
    // The gate may have closed while a preview's version was started.
    if (runtime.isOpen) {
      runtime.track(finished);
      return found;
    }
  }
}

/** The runtime's service for a request. Starts a version that is only previewed. */
async function find(
  { account, defaultWorker }: FrontDoorOptions,
  { url = "/", headers }: IncomingMessage,
): Promise<Found | { readonly reason: string }> {
  const pathname = url.split(/[?#]/, 1)[0] ?? "/";
  // Cloudflare answers these paths itself. So does Miniflare, which would open its storage to clients.
  if (/^\/(cdn-cgi|__cf_local)(\/|$)/.test(pathname)) return { reason: `${pathname} is reserved.` };
  const { state } = account;
  const found = target(state, hostOf(headers), pathname, defaultWorker);
  if ("reason" in found) return found;
  if ("preview" in found) {
    await account.preview(found.preview.id);
    return { worker: found.worker, version: found.preview, service: serviceName(state, found.worker, found.preview) };
  }
  const wish = { key: single(headers[KEY_HEADER]), overrides: single(headers[OVERRIDE_HEADER]) };
  const version = versionFor(state, found.worker, wish, Math.random);
  if (version === undefined) return { reason: `Worker '${found.worker.name}' has no deployment.` };
  return { worker: found.worker, version, service: serviceName(state, found.worker, version) };
}

const single = (header: string | string[] | undefined) => (Array.isArray(header) ? header.join(",") : header);

const hostOf = ({ host = "" }: IncomingHttpHeaders) => host.replace(/:\d+$/, "");

/** The client's headers as a Worker gets them in production, and headers that choose Miniflare's service. */
function headersFor(incoming: IncomingMessage, runtime: Runtime, service: string): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined && !/^(mf|account)-/.test(name)) headers[name] = value;
  }
  const address = incoming.socket.remoteAddress?.replace(/^::ffff:/, "") ?? "127.0.0.1";
  return {
    ...headers,
    "cf-connecting-ip": address,
    "cf-ray": `${randomBytes(8).toString("hex")}-LOC`,
    "cf-visitor": '{"scheme":"http"}',
    "x-real-ip": address,
    "x-forwarded-proto": "http",
    ...runtime.headersFor(service),
    "mf-original-url": `http://${incoming.headers.host ?? "localhost"}${incoming.url ?? "/"}`,
    "mf-disable-pretty-error": "1",
  };
}

/** Answers an exception as in production: with 1101, and without the stack. */
function thrown(options: FrontDoorOptions, service: string, response: IncomingMessage, outgoing: ServerResponse) {
  const chunks: Buffer[] = [];
  response.on("data", (chunk: Buffer) => chunks.push(chunk));
  response.on("end", () => {
    options.onException(service, Buffer.concat(chunks).toString());
    answer(outgoing, 500, "error code: 1101\n");
  });
}

function answer(outgoing: ServerResponse, status: number, text: string): void {
  outgoing.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  outgoing.end(text);
}

function refuse(socket: Duplex, status: string, text: string): void {
  if (socket.destroyed) return;
  socket.end(`HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${text}`);
}

function rawHead(response: IncomingMessage): string {
  const lines = pairs(response.rawHeaders).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${response.statusCode} ${response.statusMessage}\r\n${lines.join("")}\r\n`;
}

/** Raw headers as pairs of name and value. Repeated headers stay separate. */
function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, index) =>
    index % 2 === 0 ? [[name, raw[index + 1] ?? ""] satisfies [string, string]] : [],
  );
}
