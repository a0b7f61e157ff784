/**
 * Passes a request or a WebSocket on to workerd, and its answer back. If workerd is replaced meanwhile, what had not
 * begun, or can be repeated without harm, is sent again.
 */
import { randomBytes } from "node:crypto";
import { type Agent, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream";
import type { Body } from "./body.ts";
import type { Exceptions } from "./exceptions.ts";
import type { Invocation } from "./invocations.ts";
import type { Version, Worker } from "./model.ts";
import { cpuLimitOf } from "./runtime/cpu-limit.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { consumersOf } from "./tail-consumers.ts";

/** The target of a request: the version, and its service in the runtime. */
export interface Found {
  readonly service: string;
  readonly worker: Worker;
  readonly version: Version;
}

/** One try to get an answer. */
export interface Try extends Found {
  readonly runtime: Runtime;
  readonly note: (status: Invocation["status"], httpStatus: number | undefined) => void;
  /** Told of a Worker's exception. */
  readonly exceptions: Exceptions;
}

/** What became of a try: the client has its answer or has left, or an answer for it, or it is worth another try. */
export type Outcome = "done" | "again" | { readonly status: number; readonly text: string };

const EXCEEDED = { status: 503, text: "error code: 1102\n" };
/** The answer if workerd was replaced, and the request may have had an effect. */
export const INTERRUPTED = {
  status: 503,
  text: "The account restarted its runtime while this request ran, so its outcome is not known. Send it again if it may run twice.\n",
};

/** Sends a request, and its answer to the client. */
export function passOn(
  options: Try & { readonly agent: Agent; readonly body: Body },
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<Outcome> {
  const { runtime, note, agent, body } = options;
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const { ticket, lost, sent } = begin(options, incoming);
  const upstream = request(runtime.entry, { ...sent, agent });
  const left = () => {
    note(ticket.fate === "ended" ? "exceededResources" : "clientDisconnected", undefined);
    runtime.end(ticket, outgoing.writableFinished ? "answered" : "left");
    upstream.destroy();
    resolve("done");
  };
  outgoing.once("close", left);
  upstream.on("response", (response) => {
    if (runtime.isThrown(response.headers)) {
      note("scriptThrewException", undefined);
      thrown(options, response, resolve);
      return;
    }
    outgoing.on("finish", () => note("success", response.statusCode));
    outgoing.writeHead(response.statusCode ?? 502, response.statusMessage, pairs(response.rawHeaders));
    pipeline(response, outgoing, () => {});
  });
  upstream.on("error", (error) => {
    if (outgoing.headersSent) outgoing.destroy();
    else resolve(lost(error, () => body.canBeRepeated));
  });
  body.sendTo(upstream);
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
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const { ticket, lost, sent } = begin(options, incoming);
  const upstream = request(runtime.entry, sent);
  const left = () => {
    runtime.end(ticket, "answered");
    upstream.destroy();
    resolve("done");
  };
  socket.once("close", left);
  upstream.on("upgrade", (response, upstreamSocket, upstreamHead) => {
    note("success", response.statusCode);
    resolve("done");
    socket.write(rawHead(response));
    socket.write(upstreamHead);
    upstreamSocket.write(head);
    socket.on("data", () => runtime.touch(ticket));
    pipeline(socket, upstreamSocket, socket, () => {
      socket.destroy();
      upstreamSocket.destroy();
    });
  });
  upstream.on("response", (response) => {
    note(runtime.isThrown(response.headers) ? "scriptThrewException" : "success", response.statusCode);
    socket.write(rawHead(response));
    pipeline(response, socket, () => socket.destroy());
  });
  upstream.on("error", (error) => {
    socket.off("close", left);
    resolve(lost(error, () => true).finally(() => runtime.end(ticket, "answered")));
  });
  upstream.end();
  return promise;
}

/** The names of the other Workers that a version reaches by its bindings. */
function calleesOf({ name }: Worker, { bindings }: Version): string[] {
  const named = bindings.flatMap(({ service, script_name }) => [service, script_name]);
  return [...new Set(named.filter((other): other is string => typeof other === "string" && other !== name))];
}

/** Registers a request with the runtime. `lost` says what to do when it gets no answer. */
function begin(options: Try, incoming: IncomingMessage) {
  const { runtime, note, worker, version, service } = options;
  const { method = "GET", url = "/" } = incoming;
  const ticket = runtime.send({
    worker: worker.name,
    what: `${method} ${url.split("?", 1)[0]}`,
    limitMs: cpuLimitOf(version),
    callees: () => calleesOf(worker, version),
    consumers: consumersOf(worker),
    event: {
      request: { url: `http://${incoming.headers.host ?? "localhost"}${url}`, method, headers: incoming.headers },
    },
  });
  const { starts } = runtime;
  const lost = async (error: Error, canBeRepeated: () => boolean): Promise<Outcome> => {
    const hasEnded = await runtime.hasEnded(starts);
    if (ticket.fate === "ended") {
      note("exceededResources", undefined);
      return EXCEEDED;
    }
    if (!hasEnded) {
      note("internalError", undefined);
      return { status: 502, text: `The runtime did not answer: ${error.message}\n` };
    }
    if (canBeRepeated() && (ticket.beganAt === undefined || /^(GET|HEAD)$/.test(method))) return "again";
    note("internalError", undefined);
    return INTERRUPTED;
  };
  const headers = headersFor(incoming, runtime.headersFor(service, ticket));
  return { ticket, lost, sent: { method, path: url, headers } };
}

/** The client's headers as a Worker gets them in production, and headers that choose Miniflare's service. */
function headersFor(
  incoming: IncomingMessage,
  own: Readonly<Record<string, string>>,
): Record<string, string | string[]> {
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
    ...own,
    "mf-original-url": `http://${incoming.headers.host ?? "localhost"}${incoming.url ?? "/"}`,
    "mf-disable-pretty-error": "1",
  };
}

/** Answers an exception as in production: with 1101, and without the stack. */
function thrown({ service, exceptions }: Try, response: IncomingMessage, resolve: (outcome: Outcome) => void): void {
  const chunks: Buffer[] = [];
  response.on("data", (chunk: Buffer) => chunks.push(chunk));
  response.on("end", () => {
    exceptions.thrown(service, Buffer.concat(chunks).toString());
    resolve({ status: 500, text: "error code: 1101\n" });
  });
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
