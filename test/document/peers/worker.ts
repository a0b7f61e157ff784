/** Documents as people take them from y-partyserver. */
import { YServer } from "y-partyserver";
import type { DocumentDO } from "../../../worker/document/document.ts";
import { joinRequest } from "../../../worker/document/joining.ts";
import type { Side } from "../../bench/measure.ts";
import type { Subjects } from "../../bench/worker/load.ts";
import { documentOf, editing, FloorDocument } from "../worker/bench.ts";

export { FloorDocument };

export class PartyDocument extends YServer {
  static override options = { hibernate: true };
}

interface Bindings {
  DOCUMENT: DurableObjectNamespace<DocumentDO>;
  FLOOR_DOCUMENT: DurableObjectNamespace;
  PARTY_DOCUMENT: DurableObjectNamespace<PartyDocument>;
}

const ALL = { read: true, comment: true, write: true } as const;

async function join(env: Bindings, side: Side, userId: string): Promise<WebSocket> {
  const name = documentOf(userId);
  const namespace = { naive: env.PARTY_DOCUMENT, ours: env.DOCUMENT, floor: env.FLOOR_DOCUMENT }[side];
  const joining = { caller: { kind: "user", id: userId }, rulings: ALL, address: userId, known: true } as const;
  const plain = new Request("https://object/", { headers: { Upgrade: "websocket", "x-partykit-room": name } });
  const { webSocket: socket } = await namespace.getByName(name).fetch(side === "ours" ? joinRequest(joining) : plain);
  if (!socket) throw new Error(`The ${side} document opens no WebSocket`);
  socket.binaryType = "arraybuffer";
  socket.accept();
  return socket;
}

export const subjects: Subjects<Bindings> = {
  "document-party": async (env, side) => editing((userId) => join(env, side, userId)),
};
