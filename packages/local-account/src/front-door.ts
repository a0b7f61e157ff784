/**
 * The front door of deployed Workers: one HTTP server on loopback. It finds the Worker by the request's host, and
 * passes the request on to workerd, WebSockets too. It stays open while workerd restarts; requests wait meanwhile.
 */
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { Duplex } from "node:stream";
import type { Account } from "./account.ts";
import { Body } from "./body.ts";
import { ApiError } from "./errors.ts";
import { asksForWebSocket, hasBody, joined, type Target, targetOf } from "./hops.ts";
import type { Invocations } from "./invocations.ts";
import { type Found, INTERRUPTED, type Outcome, passOn, passOnSocket, type Try } from "./pass-on.ts";
import { Pipelining } from "./pipelining.ts";
import { target } from "./routing.ts";
import { serviceName } from "./runtime/names.ts";
import { KEY_HEADER, OVERRIDE_HEADER, versionFor } from "./traffic.ts";
import { MOST_HEAD_BYTES, Upstream } from "./upstream.ts";

interface FrontDoorOptions {
  readonly account: Account;
  /** Gets every request that reached a Worker. */
  readonly invocations: Invocations;
  readonly defaultWorker: string | undefined;
}

/** How often a request is sent again because workerd was replaced while it ran. */
const MOST_REPEATS = 2;

/** The server, which does not listen yet. */
export function frontDoor(options: FrontDoorOptions): Server {
  const upstream = new Upstream();
  const pipelining = new Pipelining();
  const pass = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { promise: answered, resolve } = Promise.withResolvers<void>();
    outgoing.on("close", resolve);
    await pipelining.turn(incoming.socket, answered);
    // Of an answer that has waited for its turn nobody is told that the client has left.
    if (incoming.socket.destroyed) return resolve();
    let body: Body | undefined;
    const outcome = await answerOf(options, incoming, answered, (one) => {
      if (hasBody(incoming.headers)) body ??= new Body(incoming);
      return passOn({ ...one, upstream, body }, incoming, outgoing);
    });
    if (outcome !== "done" && !outgoing.destroyed) answer(outgoing, outcome);
  };
  const passSocket = async (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    const { promise: answered, resolve } = Promise.withResolvers<void>();
    const outcome = await answerOf(options, incoming, answered, (one) => passOnSocket(one, incoming, { socket, head }));
    resolve();
    if (outcome !== "done") refuse(socket, outcome);
  };
  const server = createServer(
    { maxHeaderSize: MOST_HEAD_BYTES, shouldUpgradeCallback: asksForWebSocket },
    (incoming, outgoing) => void pass(incoming, outgoing).catch(failed(outgoing)),
  );
  server.on("upgrade", (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    void passSocket(incoming, socket, head).catch(failed(socket));
  });
  server.on("close", () => upstream.close());
  return server;
}

/** Ends what a bug of the account has left open, and tells of it. The account goes on. */
const failed = (open: { destroy(): unknown }) => (error: unknown) => {
  console.error("The account's front door failed; this is a bug:", error);
  open.destroy();
};

/** Tries to get an answer, again if workerd was replaced meanwhile. A restart waits for `answered`, up to its limit. */
async function answerOf(
  options: FrontDoorOptions,
  incoming: IncomingMessage,
  answered: Promise<void>,
  attempt: (one: Try) => Promise<Outcome>,
): Promise<Exclude<Outcome, "again">> {
  const target = targetOf(incoming.url ?? "/", incoming.headers.host);
  if (target === undefined)
    return { status: 400, text: "The target of a request must be a path or a URL, and its host a host.\n" };
  for (let repeats = 0; ; repeats++) {
    const { runtime, exceptions } = options.account;
    const found = await runtime.gate.enter(answered, () => find(options, { target, headers: incoming.headers }));
    if ("status" in found) return found;
    const outcome = await attempt({ ...found, target, runtime, exceptions, note: noting(options, found) });
    if (outcome !== "again") return outcome;
    if (repeats === MOST_REPEATS) return INTERRUPTED;
  }
}

/** Records the outcome of a request, once. */
function noting({ invocations }: FrontDoorOptions, { worker, version }: Found): Try["note"] {
  const at = Date.now();
  const began = performance.now();
  let isNoted = false;
  return (status, httpStatus) => {
    if (isNoted) return;
    isNoted = true;
    const wallMs = performance.now() - began;
    invocations.add({ at, script: worker.name, versionId: version.id, status, httpStatus, wallMs });
  };
}

interface Asked {
  readonly target: Target;
  readonly headers: IncomingHttpHeaders;
}

/**
 * The version that answers a request, and its service in the runtime; without one, the answer. Starts a version that is
 * only previewed.
 */
async function find(
  { account, defaultWorker }: FrontDoorOptions,
  { target: { host, path }, headers }: Asked,
): Promise<Found | Answer> {
  const pathname = path.split(/[?#]/, 1)[0] ?? "/";
  // Cloudflare answers these paths itself.
  if (/^\/(cdn-cgi|__cf_local)(\/|$)/.test(pathname)) return notFound(`${pathname} is reserved.`);
  const look = () => target(account.state, host.replace(/:\d+$/, ""), pathname, defaultWorker);
  let found = look();
  // While a preview waited for its turn, the version may have been deployed or deleted, or the address another's.
  for (let started: string | undefined; "preview" in found && found.preview.id !== started; found = look()) {
    started = found.preview.id;
    try {
      await account.preview(started);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return { status: 500, text: `${error.message}\n` };
    }
  }
  if ("reason" in found) return notFound(found.reason);
  const { state } = account;
  if ("preview" in found)
    return { worker: found.worker, version: found.preview, service: serviceName(state, found.worker, found.preview) };
  const wish = { key: joined(headers[KEY_HEADER]), overrides: joined(headers[OVERRIDE_HEADER]) };
  const version = versionFor(state, found.worker, wish, Math.random);
  if (version === undefined) return notFound(`Worker '${found.worker.name}' has no deployment.`);
  return { worker: found.worker, version, service: serviceName(state, found.worker, version) };
}

type Answer = Exclude<Outcome, "done" | "again">;

const notFound = (reason: string): Answer => ({ status: 404, text: `${reason}\n` });

function answer(outgoing: ServerResponse, { status, text }: Answer): void {
  outgoing.writeHead(status, STATUS_CODES[status], { "content-type": "text/plain; charset=utf-8" });
  outgoing.end(text);
}

function refuse(socket: Duplex, { status, text }: Answer): void {
  if (socket.destroyed) return;
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, "Content-Type: text/plain; charset=utf-8"];
  socket.end(`${[...head, "Connection: close"].join("\r\n")}\r\n\r\n${text}`);
}
