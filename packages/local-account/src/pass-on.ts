/**
 * Passes a request or a WebSocket on to workerd, and its answer back. If workerd is replaced meanwhile, what had not
 * begun, or can be repeated without harm, is sent again.
 */
import { randomBytes } from "node:crypto";
import { type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type Duplex, pipeline } from "node:stream";
import { text } from "node:stream/consumers";
import { Answer } from "./answer.ts";
import type { Body } from "./body.ts";
import type { Exceptions } from "./exceptions.ts";
import { forwarded, isAccounts, isOfConnection, joined, type Target } from "./hops.ts";
import type { Invocation } from "./invocations.ts";
import type { Version, Worker } from "./model.ts";
import type { Ticket } from "./runtime/activity.ts";
import { cpuLimitOf } from "./runtime/cpu-limit.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { consumersOf } from "./tail-consumers.ts";
import { MOST_HEAD_BYTES, type Upstream } from "./upstream.ts";

/** Who answers a request: the version, and its service in the runtime. */
export interface Found {
  readonly service: string;
  readonly worker: Worker;
  readonly version: Version;
}

/** One try to get an answer. */
export interface Try extends Found {
  readonly target: Target;
  readonly runtime: Runtime;
  readonly note: (status: Invocation["status"], httpStatus: number | undefined) => void;
  /** Told of a Worker's exception. */
  readonly exceptions: Exceptions;
}

/** What became of a try: the client has its answer or has left, or an answer for it, or it is worth another try. */
export type Outcome = "done" | "again" | { readonly status: number; readonly text: string };

/** As in production, without the message. */
const THROWN = { status: 500, text: "error code: 1101\n" };
const EXCEEDED = { status: 503, text: "error code: 1102\n" };
/** The answer if workerd was replaced, and the request may have had an effect. */
export const INTERRUPTED = {
  status: 503,
  text: "The account restarted its runtime while this request ran, so its outcome is not known. Send it again if it may run twice.\n",
};

/** Sends a request, and its answer to the client. `body`: undefined if it has none. */
export function passOn(
  options: Try & { readonly upstream: Upstream; readonly body: Body | undefined },
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<Outcome> {
  const { runtime, note, upstream, body } = options;
  // While the gate was closed, for example.
  if (outgoing.destroyed) return gone(options);
  // More has come since the try before was lost.
  if (body?.canBeRepeated === false) return interrupted(options);
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const { ticket, lost, sent } = begin(options, incoming);
  const answer = new Answer(outgoing, {
    isThrown: (headers) => runtime.isThrown(headers),
    onThrown: (message) => resolve(thrown(options, message)),
    onLost: (error) => {
      if (outgoing.headersSent) outgoing.destroy();
      else resolve(lost(error, () => body?.canBeRepeated ?? true));
    },
  });
  const left = () => {
    if (outgoing.writableFinished) note("success", outgoing.statusCode);
    else note(hasExceeded(ticket) ? "exceededResources" : "clientDisconnected", undefined);
    runtime.end(ticket, outgoing.writableFinished ? "answered" : "left");
    answer.abort();
    resolve("done");
  };
  outgoing.once("close", left);
  upstream.send(runtime.entry, { ...sent, body: body?.stream() ?? null }, answer);
  return promise.finally(() => {
    outgoing.off("close", left);
    runtime.end(ticket, "answered");
  });
}

/** The same for a WebSocket. `head`: the bytes that the client sent after the headers. */
export function passOnSocket(
  options: Try,
  incoming: IncomingMessage,
  { socket, head }: { readonly socket: Duplex; readonly head: Buffer },
): Promise<Outcome> {
  const { runtime, note } = options;
  if (socket.destroyed) return gone(options);
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const { ticket, lost, sent } = begin(options, incoming);
  const headers = [...sent.headers, ...UPGRADE];
  const upstream = request(runtime.entry, { ...sent, headers, maxHeaderSize: MOST_HEAD_BYTES });
  const left = () => {
    runtime.end(ticket, "answered");
    upstream.destroy();
    resolve("done");
  };
  socket.once("close", left);
  upstream.on("upgrade", (response, upstreamSocket, upstreamHead) => {
    note("success", response.statusCode);
    resolve("done");
    socket.write(headOf(response, response.rawHeaders));
    socket.write(upstreamHead);
    upstreamSocket.write(head);
    socket.on("data", () => runtime.touch(ticket));
    pipeline(socket, upstreamSocket, socket, () => {
      socket.destroy();
      upstreamSocket.destroy();
    });
  });
  upstream.on("response", (response) => {
    if (runtime.isThrown(response.headers)) {
      socket.off("close", left);
      const told = text(response).then((message) => thrown(options, message));
      resolve(told.finally(() => runtime.end(ticket, "answered")));
      return;
    }
    note("success", response.statusCode);
    // The end of the connection is the end of the body.
    socket.write(headOf(response, [...forwarded(response.rawHeaders), "Connection", "close"]));
    pipeline(response, socket, () => socket.destroy());
  });
  upstream.on("error", (error) => {
    socket.off("close", left);
    resolve(lost(error, () => true).finally(() => runtime.end(ticket, "answered")));
  });
  upstream.end();
  return promise;
}

/** Asks workerd for a WebSocket. */
const UPGRADE = ["connection", "Upgrade", "upgrade", "websocket"];

/** The names of the other Workers that a version reaches by its bindings. */
function calleesOf({ name }: Worker, { bindings }: Version): string[] {
  const named = bindings.flatMap(({ service, script_name }) => [service, script_name]);
  return [...new Set(named.filter((other): other is string => typeof other === "string" && other !== name))];
}

/** Registers a request with the runtime. `lost` says what to do when it gets no answer. */
function begin(options: Try, incoming: IncomingMessage) {
  const { runtime, note, worker, version, service, target } = options;
  const { method = "GET" } = incoming;
  const texts = textsOf(incoming.headers);
  const address = incoming.socket.remoteAddress?.replace(/^::ffff:/, "") ?? "127.0.0.1";
  const ticket = runtime.send({
    worker: worker.name,
    what: `${method} ${target.path.split("?", 1)[0]}`,
    limitMs: cpuLimitOf(version),
    callees: () => calleesOf(worker, version),
    consumers: consumersOf(worker),
    event: { request: { url: `http://${target.host}${target.path}`, method, headers: texts } },
  });
  const { starts } = runtime;
  const lost = async (error: Error, canBeRepeated: () => boolean): Promise<Outcome> => {
    const hasEnded = await runtime.hasEnded(starts);
    if (hasExceeded(ticket)) {
      note("exceededResources", undefined);
      return EXCEEDED;
    }
    if (!hasEnded) {
      note("internalError", undefined);
      return { status: 502, text: `The runtime did not answer: ${error.message}\n` };
    }
    if (canBeRepeated() && (ticket.beganAt === undefined || /^(GET|HEAD)$/.test(method))) return "again";
    return interrupted(options);
  };
  const own = runtime.headersFor(service, ticket, incoming.headers["accept-encoding"]);
  return { ticket, lost, sent: { method, path: target.path, headers: headersFor({ texts, address }, target, own) } };
}

/** Whether a Worker took too much. Where workerd has crashed that is what is likely (1102). */
const hasExceeded = ({ fate }: Ticket) => fate === "ended" || fate === "crashed";

/** What is known of a client: its headers (`textsOf`), and its network address. */
interface Client {
  readonly texts: Readonly<Record<string, string>>;
  readonly address: string;
}

/** Headers by their names, each with one text. */
const textsOf = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      const text = joined(value);
      return text === undefined ? [] : [[name, text]];
    }),
  );

/**
 * The client's headers as a Worker gets them in production, and the account's own, names and values in turn. A client
 * cannot send the account's or Miniflare's.
 */
function headersFor({ texts, address }: Client, { host }: Target, own: Readonly<Record<string, string>>): string[] {
  const headers = ["host", host];
  const { connection } = texts;
  for (const [name, value] of Object.entries(texts))
    if (!isOfConnection(name, connection) && !OURS.has(name) && !isAccounts(name)) headers.push(name, value);
  headers.push("cf-connecting-ip", address, "x-real-ip", address, "cf-ray", `${randomBytes(8).toString("hex")}-LOC`);
  headers.push("cf-visitor", '{"scheme":"http"}', "x-forwarded-proto", "http", "accept-encoding", "br, gzip");
  for (const [name, value] of Object.entries(own)) headers.push(name, value);
  return headers;
}

/** Headers that every request has from here, whatever the client sent. */
const OURS = new Set([
  "accept-encoding",
  "cf-connecting-ip",
  "cf-ray",
  "cf-visitor",
  "host",
  "x-forwarded-proto",
  "x-real-ip",
]);

/** What becomes of a request whose client has left before it was sent. */
function gone({ note }: Try): Promise<Outcome> {
  note("clientDisconnected", undefined);
  return Promise.resolve("done");
}

/** What becomes of a request that cannot be sent again. */
function interrupted({ note }: Try): Promise<Outcome> {
  note("internalError", undefined);
  return Promise.resolve(INTERRUPTED);
}

/** Tells of a Worker's exception, and returns the answer. */
function thrown({ note, service, exceptions }: Try, message: string): Outcome {
  note("scriptThrewException", undefined);
  exceptions.thrown(service, message);
  return THROWN;
}

/** The lines of a head, of headers with names and values in turn. Node has them as Latin-1. */
function headOf({ statusCode, statusMessage }: IncomingMessage, headers: readonly string[]): Buffer {
  const lines = [`HTTP/1.1 ${statusCode} ${statusMessage}\r\n`];
  for (let at = 0; at + 1 < headers.length; at += 2) lines.push(`${headers[at]}: ${headers[at + 1]}\r\n`);
  return Buffer.from(`${lines.join("")}\r\n`, "latin1");
}
