/** Chat rooms as people write them with partyserver. */
import { type Connection, Server, type WSMessage } from "partyserver";
import { type Joining, joinRequest } from "../../../worker/chat/joining.ts";
import type { ChatRoomDO } from "../../../worker/chat/room.ts";
import type { Side } from "../../bench/measure.ts";
import { type Load, NAME, type Subjects } from "../../bench/worker/load.ts";
import { FloorRoom, roomOf, talk } from "../worker/bench.ts";

export { FloorRoom };

export class PartyRoom extends Server<object> {
  static override options = { hibernate: true };
  #seq = 0;

  override onMessage(_: Connection, data: WSMessage): void {
    const { text } = JSON.parse(String(data));
    if (text === undefined) return;
    const message = { id: NAME, seq: ++this.#seq, userId: NAME, text, timestamp: Date.now() };
    this.broadcast(JSON.stringify({ type: "message", message }));
  }
}

interface Bindings {
  CHAT_ROOM: DurableObjectNamespace<ChatRoomDO>;
  FLOOR_ROOM: DurableObjectNamespace;
  PARTY_ROOM: DurableObjectNamespace<PartyRoom>;
}

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

async function join(env: Bindings, side: Side, room: string, joining: Joining): Promise<WebSocket> {
  const namespace = { naive: env.PARTY_ROOM, ours: env.CHAT_ROOM, floor: env.FLOOR_ROOM }[side];
  const plain = { headers: { Upgrade: "websocket", "x-partykit-room": room } };
  const request = side === "ours" ? joinRequest(joining) : new Request("https://object/", plain);
  const response = await namespace.getByName(room).fetch(request);
  if (!response.webSocket) throw new Error(`The ${side} room answered ${response.status}`);
  response.webSocket.accept();
  return response.webSocket;
}

export const subjects: Subjects<Bindings> = {
  "chat-party": async (env, side) => talking(env, side, { subprotocol: "chat.batched" }),
  "plain-chat-party": async (env, side) => talking(env, side, {}),
};
