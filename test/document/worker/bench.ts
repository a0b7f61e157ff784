/** Documents under load: fifty sockets edit one, and each gets all edits. */
import { DurableObject } from "cloudflare:workers";
import { DocumentDO } from "../../../worker/document/document.ts";
import { joinRequest } from "../../../worker/document/joining.ts";
import * as wire from "../../../worker/document/wire.ts";
import type { Side } from "../../bench/measure.ts";
import { type Load, NAME, type Result, type Subjects, URL_OF_OBJECT } from "../../bench/worker/load.ts";

export { NaiveDocument } from "./naive.ts";

const SOCKETS = 50;
const EDITS_PER_SOCKET = 40;
/** Of the document that is opened. */
const EDITS = 100_000;
const AT_ONCE = 64;
const ALL = { read: true, comment: true, write: true } as const;

/** The floor: passes frames on, and stores nothing. */
export class FloorDocument extends DurableObject {
  override fetch(): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  override webSocketMessage(sender: WebSocket, data: ArrayBuffer): void {
    for (const socket of this.ctx.getWebSockets()) if (socket !== sender) socket.send(data);
  }
}

interface Bindings {
  DOCUMENT: DurableObjectNamespace<DocumentDO>;
  FLOOR_DOCUMENT: DurableObjectNamespace;
  NAIVE_DOCUMENT: DurableObjectNamespace;
  COUNTED_DOCUMENT: DurableObjectNamespace<CountedDocument>;
}

export const subjects: Subjects<Bindings> = {
  document: async (env, side) => editing((userId) => join(env, side, userId)),
};

/** Edits in rounds. The time of joining does not count. */
export function editing(join: (userId: string) => Promise<WebSocket>): Load {
  return async ({ ms }) => {
    const total = { operations: 0, ms: 0 };
    while (total.ms < ms) {
      const round = await edit(join);
      total.operations += round.operations;
      total.ms += round.ms;
    }
    return total;
  };
}

/** Each client types at the end of a text of its own document: its edits arrive at all others. */
async function edit(join: (userId: string) => Promise<WebSocket>): Promise<Result> {
  const Y = await import("yjs");
  const sockets = await Promise.all(
    Array.from({ length: SOCKETS }, (_, i) => join(`user-${i}-${crypto.randomUUID()}`)),
  );
  const frames = sockets.map(() => {
    const doc = new Y.Doc();
    const updates: Uint8Array[] = [];
    doc.on("update", (update: Uint8Array) => updates.push(wire.update(update)));
    for (let i = 0; i < EDITS_PER_SOCKET; i++) doc.getText("text").insert(i, "x");
    return { client: doc.clientID, updates };
  });
  const heard = sockets.map((socket, i) => {
    /** How many edits of the others have arrived. */
    const clocks = new Map<number, number>();
    let left = SOCKETS - 1;
    return new Promise<void>((resolve, reject) => {
      socket.addEventListener("message", ({ data }) => {
        const frame = wire.readFrame(data);
        if (!("type" in frame) || frame.type !== "update") return;
        for (const [client, clock] of Y.parseUpdateMeta(frame.update).to) {
          if (client === frames[i]?.client || clocks.get(client) === EDITS_PER_SOCKET) continue;
          clocks.set(client, clock);
          if (clock === EDITS_PER_SOCKET && frames.some((one) => one.client === client)) left--;
        }
        if (left === 0) resolve();
      });
      socket.addEventListener("close", ({ code, reason }) => reject(new Error(`closed: ${code} ${reason}`)));
    });
  });
  const start = Date.now();
  for (let i = 0; i < EDITS_PER_SOCKET; i++) {
    for (const [at, socket] of sockets.entries()) socket.send(frames[at]?.updates[i] ?? "");
  }
  await Promise.all(heard);
  const ms = Date.now() - start;
  for (const socket of sockets) socket.close(1_000);
  return { operations: SOCKETS * EDITS_PER_SOCKET, ms };
}

async function join(env: Bindings, side: Side, userId: string): Promise<WebSocket> {
  const namespace = { naive: env.NAIVE_DOCUMENT, ours: env.DOCUMENT, floor: env.FLOOR_DOCUMENT }[side];
  const joining = { caller: { kind: "user", id: userId }, rulings: ALL, address: userId, known: true } as const;
  const plain = new Request(URL_OF_OBJECT, { headers: { Upgrade: "websocket" } });
  // A document of its own each round, so that none grows with the rounds.
  const response = await namespace.getByName(documentOf(userId)).fetch(side === "ours" ? joinRequest(joining) : plain);
  if (!response.webSocket) throw new Error(`The ${side} document answered ${response.status}`);
  response.webSocket.binaryType = "arraybuffer";
  response.webSocket.accept();
  return response.webSocket;
}

let round = 0;
/** The document of a round: the first user of each begins a new one. */
export function documentOf(userId: string): string {
  if (userId.startsWith("user-0-")) round++;
  return `${NAME}-${round}`;
}

/** A document that counts what it writes, and can be made to crash. */
export class CountedDocument extends DocumentDO {
  #rows = 0;
  #bytes = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const { sql } = ctx.storage;
    const exec = sql.exec.bind(sql);
    Reflect.set(sql, "exec", (query: string, ...values: unknown[]) => {
      for (const value of values) if (value instanceof Uint8Array) this.#bytes += value.byteLength;
      const cursor = Reflect.apply(exec, sql, [query, ...values]);
      this.#rows += cursor.rowsWritten;
      return cursor;
    });
  }

  written(): { rows: number; bytes: number } {
    return { rows: this.#rows, bytes: this.#bytes };
  }

  crash(): void {
    this.ctx.abort("The bench wants it to begin anew");
  }
}

/** Fills a document with many edits, and says what that wrote and what opening it takes. */
export async function visit(_: Request, env: Bindings): Promise<Response> {
  const Y = await import("yjs");
  const object = () => env.COUNTED_DOCUMENT.getByName("dev-eu:document:large");
  const visitor = { caller: { kind: "user", id: "ann" }, rulings: ALL } as const;
  const doc = new Y.Doc();
  const text = doc.getText("text");
  let updates: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => updates.push(update));
  const filling = object();
  // Words at many places, and one edit in five is a deletion.
  for (let i = 0; i < EDITS; ) {
    for (; updates.length < AT_ONCE && i < EDITS; i++) {
      const at = (i * 7_919) % (text.length + 1);
      if (i % 5 === 4) text.delete(Math.min(at, text.length - 1), 1);
      else text.insert(at, "ab");
    }
    const batch = updates;
    updates = [];
    await Promise.all(batch.map((update) => filling.edit(visitor, update, { known: true }, true)));
  }
  const written = await filling.written();
  await filling.crash().catch(() => undefined);
  const start = Date.now();
  const read = await object().read(visitor, { as: "state" });
  const openMs = Date.now() - start;
  const bytes = typeof read === "object" ? read.body.length : 0;
  const isSame = typeof read === "object" && bytes === Y.encodeStateAsUpdate(doc).length;
  return Response.json({ edits: EDITS, rows: written.rows, written: written.bytes, bytes, openMs, isSame });
}
