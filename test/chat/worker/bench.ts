/** Chat rooms under load: fifty sockets send messages, and each gets all of them. */
import { DurableObject } from "cloudflare:workers";
import { type Joining, joinRequest } from "../../../worker/chat/joining.ts";
import { SEEN_EVERY } from "../../../worker/chat/protocol.ts";
import type { ChatRoomDO } from "../../../worker/chat/room.ts";
import type { Side } from "../../bench/measure.ts";
import { type Load, NAME, type Result, type Subjects, URL_OF_OBJECT } from "../../bench/worker/load.ts";

export { NaiveChatRoom } from "./naive.ts";

const SOCKETS = 50;
/** Below the room's limit of 20 messages in 10 seconds a user. */
const MESSAGES_PER_SOCKET = 18;
/** Rounds go to these in turn: 10,000 messages a second is the most that a room can be allowed (worker/chat/pattern.ts). */
const ROOMS = 5;
export const roomOf = (round: number) => `${NAME}-${round % ROOMS}`;

/** The floor of a room: passes messages on, and stores nothing. */
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
  CHAT_ROOM: DurableObjectNamespace<ChatRoomDO>;
  FLOOR_ROOM: DurableObjectNamespace;
  NAIVE_CHAT_ROOM: DurableObjectNamespace;
}

export const subjects: Subjects<Bindings> = {
  chat: async (env, side) => talking(env, side, { subprotocol: "chat.batched" }),
  "plain-chat": async (env, side) => talking(env, side, {}),
};

/** Lets a crowd from outside into the room, past the rate limiter. */
export function visit(request: Request, env: Bindings): Promise<Response> {
  const userId = new URL(request.url).searchParams.get("user") ?? NAME;
  return env.CHAT_ROOM.getByName("crowd").fetch(joinRequest({ userId }));
}

/** Sends messages in rounds. The time of joining does not count. */
function talking(env: Bindings, side: Side, joining: Omit<Joining, "userId">): Load {
  return async ({ ms }) => {
    const total = { operations: 0, ms: 0 };
    for (let i = 0; total.ms < ms; i++) {
      const round = await talk((userId) => join(env, side, roomOf(i), { userId, ...joining }), side === "ours");
      total.operations += round.operations;
      total.ms += round.ms;
    }
    return total;
  };
}

export async function talk(join: (userId: string) => Promise<WebSocket>, saysSeen: boolean): Promise<Result> {
  // New users in each round, because a user's budget does not allow rounds without a pause.
  const round = crypto.randomUUID();
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, (_, i) => join(`user-${i}-${round}`)));
  const expected = SOCKETS * MESSAGES_PER_SOCKET;
  const heard = sockets.map((socket) => {
    let left = expected;
    let nextSeen = expected - SEEN_EVERY;
    return new Promise<void>((resolve, reject) => {
      socket.addEventListener("message", ({ data }) => {
        const frame = String(data);
        if (frame.startsWith('{"type":"error"')) return reject(new Error(`a message was refused: ${frame}`));
        left -= messagesIn(frame);
        if (left === 0) resolve();
        if (!saysSeen || left > nextSeen) return;
        nextSeen = left - SEEN_EVERY;
        socket.send(JSON.stringify({ type: "seen", seq: lastNumberIn(frame) }));
      });
      socket.addEventListener("close", ({ code, reason }) => reject(new Error(`closed: ${code} ${reason}`)));
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

/** How many messages a frame has, without the cost of parsing it. */
function messagesIn(frame: string): number {
  if (frame.startsWith('{"type":"messages"')) return frame.split('"seq":').length - 1;
  return frame.startsWith('{"type":"message"') ? 1 : 0;
}

const lastNumberIn = (frame: string) => Number(/"seq":(\d+)/.exec(frame.slice(frame.lastIndexOf('"seq":')))?.[1]);

async function join(env: Bindings, side: Side, room: string, joining: Joining): Promise<WebSocket> {
  const namespace = { naive: env.NAIVE_CHAT_ROOM, ours: env.CHAT_ROOM, floor: env.FLOOR_ROOM }[side];
  const request =
    side === "ours"
      ? joinRequest(joining)
      : new Request(`${URL_OF_OBJECT}?userId=${joining.userId}`, { headers: { Upgrade: "websocket" } });
  const response = await namespace.getByName(room).fetch(request);
  if (!response.webSocket) throw new Error(`The ${side} room answered ${response.status}`);
  response.webSocket.accept();
  return response.webSocket;
}
