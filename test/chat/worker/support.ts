/** Helpers of the chat room's tests: members whose frames can be awaited. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { onTestFinished } from "vitest";
import type { Settings } from "../../../contract/settings.ts";
import { type Joining, joinRequest } from "../../../worker/chat/joining.ts";
import type { Connect } from "../../../worker/chat/panel/client.ts";
import type { ServerFrame } from "../../../worker/chat/protocol.ts";
import type { ChatRoomDO } from "../../../worker/chat/room.ts";
import { stackOf } from "../../../worker/stack.ts";
import { fetchApp } from "../../worker/helpers.ts";

let rooms = 0;
/** A room that no other test uses. */
export const newRoom = () => `room-${rooms++}-${crypto.randomUUID().slice(0, 8)}`;

/** The room's object. */
export const roomObject = (room: string) => env.CHAT_ROOM.getByName(`dev-eu:chat:${room}`);

/** Makes it a room that is kept without use. */
export async function stays(room: string): Promise<void> {
  await roomObject(room).setDoor({ rule: "public" });
}

/** Whether the object's database has not even tables of the runtime: such a one is not stored, nor billed. */
export const isEmptyFile = (object: DurableObjectStub) =>
  runInDurableObject(
    object,
    (_, { storage }) => storage.sql.exec("SELECT * FROM sqlite_master").toArray().length === 0,
  );

/** Changes the stack's chat settings until the test ends, for rooms that wake from now on: objects have an `env` of their own. */
export async function withSettings(changes: Partial<Settings["chat"]>): Promise<void> {
  const { chat } = (await runInDurableObject(roomObject(newRoom()), (room) => stackOf(Reflect.get(room, "env"))))
    .settings;
  const before = { ...chat };
  Object.assign(chat, changes);
  onTestFinished(() => {
    Object.assign(chat, before);
  });
}

/** Joins a room, or a relay, at its object, as this user. */
export async function enter(
  object: Pick<DurableObjectStub<ChatRoomDO>, "fetch">,
  userId: string,
  more: Partial<Joining> = {},
): Promise<Member> {
  const { webSocket, status } = await object.fetch(joinRequest({ userId, ...more }));
  if (!webSocket) throw new Error(`${userId} was refused: ${status}`);
  return welcomed(webSocket);
}

/** Who has this socket, once they were greeted. It is closed with the test. */
async function welcomed(socket: WebSocket): Promise<Member> {
  const member = new Member(socket);
  onTestFinished(() => member.close());
  await member.welcome();
  return member;
}

export interface JoinOptions {
  after?: number | string;
  afterId?: string;
  /** An anonymous user's token. */
  token?: string;
  headers?: Record<string, string>;
  path?: string;
}

/** Tries to join, and returns the answer. */
export function knock(
  room: string,
  { after, afterId, token, headers, path = "/ws" }: JoinOptions = {},
): Promise<Response> {
  const query = new URLSearchParams({
    ...(after !== undefined && { after: String(after) }),
    ...(afterId !== undefined && { afterId }),
  });
  return fetchApp(`/room/${encodeURIComponent(room)}${path}?${query}`, {
    headers: {
      Upgrade: "websocket",
      ...(token !== undefined && { "Sec-WebSocket-Protocol": `chat, ${token}` }),
      ...headers,
    },
  });
}

/** Joins a room, and reads the greeting. */
export async function join(room: string, options: JoinOptions = {}): Promise<Member> {
  return letIn(await knock(room, options));
}

/** Who was let in by an answer. */
export async function letIn(response: Response): Promise<Member> {
  if (!response.webSocket) throw new Error(`${response.status}: ${await response.text()}`);
  return welcomed(response.webSocket);
}

type FrameOf<T extends ServerFrame["type"]> = Extract<ServerFrame, { type: T }>;

/** The client's end of a socket. Sends and receives frames, and nothing else. */
export class Member {
  readonly socket: WebSocket;
  readonly closed: Promise<{ code: number; reason: string; wasClean: boolean }>;
  userId = "";
  token: string | undefined;
  /** The frames of the greeting. */
  greeting: ServerFrame[] = [];
  readonly #frames: ServerFrame[] = [];
  readonly #waiting: ((frame: ServerFrame) => void)[] = [];

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const frame: ServerFrame = JSON.parse(String(data));
      const waiting = this.#waiting.shift();
      if (waiting) waiting(frame);
      else this.#frames.push(frame);
    });
    this.closed = new Promise((resolve) => {
      socket.addEventListener("close", ({ code, reason, wasClean }) => resolve({ code, reason, wasClean }));
    });
    socket.accept();
  }

  /** Reads up to the presence frame, which ends the greeting. */
  async welcome(): Promise<void> {
    for (let frame = await this.next(); ; frame = await this.next()) {
      this.greeting.push(frame);
      if (frame.type === "history") {
        this.userId = frame.userId;
        this.token = frame.token;
      }
      if (frame.type === "presence") return;
    }
  }

  /** The messages of the greeting. */
  get history() {
    return this.greeting.flatMap((frame) => (frame.type === "history" ? frame.messages : []));
  }

  /** The next frame of any type. */
  next(): Promise<ServerFrame> {
    const frame = this.#frames.shift();
    return frame ? Promise.resolve(frame) : new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The next frame of a type. Drops others before it. */
  async nextOf<T extends ServerFrame["type"]>(type: T): Promise<FrameOf<T>> {
    for (;;) {
      const frame = await this.next();
      if (isOf(frame, type)) return frame;
    }
  }

  /** The frames that have arrived and were not read. */
  frames(): readonly ServerFrame[] {
    return this.#frames;
  }

  /** All frames that have arrived by the time the room answers a ping. */
  async settled(): Promise<ServerFrame[]> {
    const frames: ServerFrame[] = [];
    this.socket.send('{ "type": "ping" }'); // differs from PING, so the object itself answers
    for (let frame = await this.next(); frame.type !== "pong"; frame = await this.next()) frames.push(frame);
    return frames;
  }

  send(frame: unknown): void {
    this.socket.send(typeof frame === "string" || frame instanceof ArrayBuffer ? frame : JSON.stringify(frame));
  }

  /** Sends a message, and waits until it is stored. */
  async say(text: string, more: object = {}): Promise<FrameOf<"ack">> {
    this.send({ type: "chat", text, ...more });
    return this.nextOf("ack");
  }

  close(): void {
    try {
      this.socket.close(1000, "done");
    } catch {
      // The socket is closed already.
    }
  }
}

function isOf<T extends ServerFrame["type"]>(frame: ServerFrame, type: T): frame is FrameOf<T> {
  return frame.type === type;
}

/** Sends many messages from many sockets, so that none reaches its limit. */
export async function fill(room: string, count: number): Promise<void> {
  for (let said = 0; said < count; ) {
    const member = await join(room);
    for (let i = 0; i < 20 && said < count; i++) await member.say(`message ${++said}`);
    member.close();
  }
}

/** Asks for a socket, as a client with these subprotocols. */
type Knock = (since: { after?: string; afterId?: string }, protocols: string[]) => Promise<Response>;

/**
 * Connects a client to a room. When `passes` returns false, the connection is cut before a frame, in either direction.
 */
export const lineTo = (room: string, passes: () => boolean): Connect =>
  lineBy(
    (since, protocols) => knock(room, { ...since, headers: { "Sec-WebSocket-Protocol": protocols.join(", ") } }),
    passes,
  );

export function lineBy(ask: Knock, passes: () => boolean): Connect {
  return (url, protocols, events) => {
    let socket: WebSocket | undefined;
    let over = false;
    const end = () => {
      if (over) return;
      over = true;
      socket?.close(3_000, "cut");
      events.closed();
    };
    const through = () => {
      if (over) return false;
      if (passes()) return true;
      end();
      return false;
    };
    ask(Object.fromEntries(new URL(url).searchParams), protocols).then((response) => {
      socket = response.webSocket ?? undefined;
      if (!socket) return end();
      socket.addEventListener("message", ({ data }) => {
        if (through()) events.received(String(data));
      });
      socket.addEventListener("close", end);
      socket.accept();
      if (over) socket.close(1000);
      else events.opened();
    }, end);
    return {
      send: (frame) => {
        if (through()) socket?.send(frame);
      },
      close: () => {
        over = true;
        socket?.close(1000);
      },
    };
  };
}
