/**
 * The Worker under measurement: every pattern in the article's way and in ours, and an object that does nothing.
 * `POST /run` makes calls for a while and tells how many there were; the load comes from inside workerd, so that
 * what is measured is the objects and not HTTP.
 */
import { DurableObject } from "cloudflare:workers";
import type { ChatRoomDO } from "../../../worker/chat/room.ts";
import { type Joining, joinRequest } from "../../../worker/chat/room.ts";
import type { CounterDO } from "../../../worker/counter/counter.ts";
import type { AccountDO } from "../../../worker/ledger/ledger.ts";
import type { RateLimiterDO } from "../../../worker/rate-limit/limiter.ts";
import type { SessionDO } from "../../../worker/session/session.ts";
import type { NaiveAccount } from "../../ledger/worker/naive.ts";
import type { NaiveSession } from "../../session/worker/naive.ts";

export { ChatRoomDO } from "../../../worker/chat/room.ts";
export { CounterDO } from "../../../worker/counter/counter.ts";
export { AccountDO } from "../../../worker/ledger/ledger.ts";
export { RateLimiterDO } from "../../../worker/rate-limit/limiter.ts";
export { SessionDO } from "../../../worker/session/session.ts";
export { NaiveChatRoom } from "../../chat/worker/naive.ts";
export { NaiveCounter } from "../../counter/worker/naive.ts";
export { NaiveAccount } from "../../ledger/worker/naive.ts";
export { NaiveRateLimiter } from "../../rate-limit/worker/naive.ts";
export { NaiveSession } from "../../session/worker/naive.ts";

/** The floor: what a call costs when the object does nothing. */
export class Floor extends DurableObject {
  call(): { ok: true } {
    return { ok: true };
  }
}

/** The floor of a room: it tells everybody what was said, and stores nothing. */
export class FloorRoom extends DurableObject {
  #seq = 0;

  override fetch(): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  override webSocketMessage(_: WebSocket, data: string): void {
    const { text } = JSON.parse(data);
    const message = { id: NAME, seq: ++this.#seq, userId: NAME, text, timestamp: Date.now() };
    const payload = JSON.stringify({ type: "message", message });
    for (const socket of this.ctx.getWebSockets()) socket.send(payload);
  }
}

interface Bindings {
  FLOOR: DurableObjectNamespace<Floor>;
  FLOOR_ROOM: DurableObjectNamespace;
  ACCOUNT: DurableObjectNamespace<AccountDO>;
  CHAT_ROOM: DurableObjectNamespace<ChatRoomDO>;
  COUNTER: DurableObjectNamespace<CounterDO>;
  RATE_LIMITER: DurableObjectNamespace<RateLimiterDO>;
  SESSION: DurableObjectNamespace<SessionDO>;
  NAIVE_ACCOUNT: DurableObjectNamespace<NaiveAccount>;
  NAIVE_CHAT_ROOM: DurableObjectNamespace;
  NAIVE_COUNTER: DurableObjectNamespace;
  NAIVE_RATE_LIMITER: DurableObjectNamespace;
  NAIVE_SESSION: DurableObjectNamespace<NaiveSession>;
}

/** What a run is asked to do, and what came of it. */
interface Run {
  subject: string;
  side: "naive" | "ours" | "floor";
  concurrency: number;
  ms: number;
}
interface Result {
  operations: number;
  ms: number;
}

const URL_OF_OBJECT = "https://object/";
const NAME = "bench";
const HALF_AN_HOUR_MS = 30 * 60 * 1_000;
/** So large that nothing is denied: denials would be cheaper. */
const ROOMY = { capacity: 1_000_000, periodSeconds: 60 };

/**
 * Read in turn: nobody reads one session many times in a millisecond, and where a benchmark does, all but the first of
 * the article's writes change nothing and cost nothing.
 */
const SESSIONS = 100;

const SOCKETS = 50;
/** Below the room's limit of 20 messages in 10 seconds a socket. */
const MESSAGES_PER_SOCKET = 18;

/** One call to each side; made once, what it needs first. */
type Call = () => Promise<unknown>;

/** Sides that are set up already. */
const prepared = new Set<string>();

/** Sets a side up, the first time. */
async function once(what: string, work: () => Promise<unknown>): Promise<void> {
  if (prepared.has(what)) return;
  prepared.add(what);
  await work();
}

async function callOf(env: Bindings, subject: string, side: Run["side"]): Promise<Call> {
  if (side === "floor" && subject === "session") {
    const stubs = manyOf(env.FLOOR);
    await once("floors", () => Promise.all(stubs.map((stub) => stub.call())));
    return inTurn(stubs, (stub) => stub.call());
  }
  if (side === "floor") {
    const stub = env.FLOOR.getByName(NAME);
    return () => stub.call();
  }
  switch (`${side} ${subject}`) {
    case "naive limiter":
      return naive(env.NAIVE_RATE_LIMITER);
    case "ours limiter": {
      const stub = env.RATE_LIMITER.getByName(NAME);
      return () => stub.take(ROOMY, 1);
    }
    case "naive counter":
      return naive(env.NAIVE_COUNTER);
    case "ours counter": {
      const stub = env.COUNTER.getByName(NAME);
      return () => stub.add(1);
    }
    case "naive transfer": {
      const stub = env.NAIVE_ACCOUNT.getByName(NAME);
      await once("naive transfer", () => stub.prepare());
      const body = JSON.stringify({ from: "a", to: "b", amount: 1 });
      return async () => (await stub.fetch(URL_OF_OBJECT, { method: "POST", body })).text();
    }
    case "ours transfer": {
      const stub = env.ACCOUNT.getByName(NAME);
      await once("ours transfer", async () => {
        await stub.deposit("a", 1e12);
        // The log at its cap, as on the other side.
        for (let i = 0; i < 1_000; i++) await stub.transfer("a", "b", 1);
      });
      return () => stub.transfer("a", "b", 1);
    }
    case "naive session": {
      const stubs = manyOf(env.NAIVE_SESSION);
      await once("naive session", () => Promise.all(stubs.map((stub) => stub.prepare())));
      return inTurn(stubs, async (stub) => (await stub.fetch(URL_OF_OBJECT)).text());
    }
    case "ours session": {
      const stubs = manyOf(env.SESSION);
      const who = { userId: "u", role: "user", metadata: null };
      await once("ours session", () =>
        Promise.all(stubs.map((stub) => stub.begin(who, HALF_AN_HOUR_MS, HALF_AN_HOUR_MS))),
      );
      return inTurn(stubs, (stub) => stub.read());
    }
    default:
      throw new Error(`Nothing is called "${side} ${subject}"`);
  }
}

const manyOf = <T extends Rpc.DurableObjectBranded | undefined>(namespace: DurableObjectNamespace<T>) =>
  Array.from({ length: SESSIONS }, (_, i) => namespace.getByName(`${NAME}-${i}`));

/** Calls one after the other of many objects. */
function inTurn<T>(stubs: readonly T[], call: (stub: T) => Promise<unknown>): Call {
  let turn = 0;
  return async () => {
    const stub = stubs[turn++ % stubs.length];
    return stub && call(stub);
  };
}

function naive(namespace: DurableObjectNamespace): Call {
  const stub = namespace.getByName(NAME);
  return async () => (await stub.fetch(URL_OF_OBJECT)).text();
}

/** Calls over and over, so many at once, until the time is over. */
async function call(env: Bindings, { subject, side, concurrency, ms }: Run): Promise<Result> {
  const call = await callOf(env, subject, side);
  const start = Date.now();
  let operations = 0;
  const caller = async () => {
    while (Date.now() - start < ms) {
      await call();
      operations++;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  return { operations, ms: Date.now() - start };
}

/** Fifty sockets say something and all of them hear all of it, over and over; the time of joining does not count. */
async function chat(env: Bindings, { subject, side, ms }: Run): Promise<Result> {
  const joining = subject === "chat" ? ({ subprotocol: "chat.batched" } as const) : {};
  const total = { operations: 0, ms: 0 };
  while (total.ms < ms) {
    const round = await talk((userId) => join(env, side, { userId, ...joining }));
    total.operations += round.operations;
    total.ms += round.ms;
  }
  return total;
}

async function talk(join: (userId: string) => Promise<WebSocket>): Promise<Result> {
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, (_, i) => join(`user-${i}`)));
  const expected = SOCKETS * MESSAGES_PER_SOCKET;
  const heard = sockets.map((socket) => {
    let left = expected;
    return new Promise<void>((resolve) => {
      socket.addEventListener("message", ({ data }) => {
        left -= messagesIn(String(data));
        if (left === 0) resolve();
      });
    });
  });
  const start = Date.now();
  for (let i = 0; i < MESSAGES_PER_SOCKET; i++) {
    for (const socket of sockets) socket.send(JSON.stringify({ type: "chat", text: `message ${i} of this socket` }));
  }
  await Promise.all(heard);
  const ms = Date.now() - start;
  for (const socket of sockets) socket.close(1000);
  return { operations: expected, ms };
}

/** How many messages a frame shows, without the cost of reading it. */
function messagesIn(frame: string): number {
  if (frame.startsWith('{"type":"messages"')) return frame.split('"seq":').length - 1;
  return frame.startsWith('{"type":"message"') ? 1 : 0;
}

async function join(env: Bindings, side: Run["side"], joining: Joining): Promise<WebSocket> {
  const namespace = { naive: env.NAIVE_CHAT_ROOM, ours: env.CHAT_ROOM, floor: env.FLOOR_ROOM }[side];
  const request =
    side === "ours"
      ? joinRequest(joining)
      : new Request(`${URL_OF_OBJECT}?userId=${joining.userId}`, { headers: { Upgrade: "websocket" } });
  const response = await namespace.getByName(NAME).fetch(request);
  if (!response.webSocket) throw new Error(`The ${side} room answered ${response.status}`);
  response.webSocket.accept();
  return response.webSocket;
}

export default {
  async fetch(request, env): Promise<Response> {
    const url = new URL(request.url);
    // A crowd from outside: straight into the room, past the rate limiter.
    const userId = url.searchParams.get("crowd");
    if (userId !== null) return env.CHAT_ROOM.getByName("crowd").fetch(joinRequest({ userId }));
    const run = await request.json<Run>();
    const talks = run.subject === "chat" || run.subject === "plain-chat";
    return Response.json(await (talks ? chat(env, run) : call(env, run)));
  },
} satisfies ExportedHandler<Bindings>;
