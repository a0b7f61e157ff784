/**
 * A chat room that loses nothing: a message has its number and is on disk before anybody sees it, who reconnects gets
 * exactly what they missed, and what was sent twice is shown once. Messages that arrive while others are on their way
 * to the disk are stored together, so that a busy room waits for the disk once and not for each.
 *
 * The room sleeps between frames. What it must know when it wakes is in SQL, in the sockets' attachments and tags;
 * memory only repeats it.
 */
import { DurableObject } from "cloudflare:workers";
import { deadCredential } from "../http/caller.ts";
import { denied } from "../http/may.ts";
import { problemResponse } from "../http/problem.ts";
import { type Bucket, full, type Policy, refill, take, waitFor } from "../objects/bucket.ts";
import { GroupCommit } from "../objects/group-commit.ts";
import { Schema, type SchemaSteps } from "../objects/schema.ts";
import { stackOf } from "../stack.ts";
import type { Caller } from "../who.ts";
import { type Door, isKeeper, isLetIn, MAX_MEMBERS } from "./door.ts";
import { readFrame } from "./frames.ts";
import { AGED_TABLE, History, MESSAGES_TABLE, type Range } from "./history.ts";
import { type ClientFrame, type Message, PING, PONG, type ServerFrame, type Subprotocol } from "./protocol.ts";
import { fingerprint, SENT_TABLE, Sent } from "./sent.ts";
import { UPLOADS_TABLE, type Upload, Uploads } from "./uploads.ts";

const STEPS: SchemaSteps = [MESSAGES_TABLE, SENT_TABLE, UPLOADS_TABLE, AGED_TABLE];

const MAX_SOCKETS = 1_000;
/** Messages that one socket may send. */
const MESSAGE_RATE: Policy = { capacity: 20, periodSeconds: 10 };
/** Of one socket, at most one sign of typing in this time is passed on. */
const TYPING_INTERVAL_MS = 1_000;
const MESSAGES_PER_FRAME = 100;
/** R2 deletes several files in one call; a while after the first one there may be more. */
const DELETE_AFTER_MS = 5_000;
const RETRY_DELETE_AFTER_MS = 60_000;
const DAY_MS = 24 * 60 * 60 * 1_000;
/** Messages that are too old are shown to nobody from that moment on, and deleted together, this often at most. */
const SWEEP_INTERVAL_MS = 60 * 60 * 1_000;

/** Who joins, and the last number that they have. */
export interface Joining {
  userId: string;
  token?: string;
  /** The session that they are here by. */
  session?: string;
  /** Who it is, where the room has to say whether they may. */
  undecided?: Caller;
  after?: number;
  /** The one of ours that the client offered, and waits for. */
  subprotocol?: Subprotocol;
}

/** What a socket remembers while the room sleeps. */
interface SocketState {
  userId: string;
  bucket: Bucket;
  typedAt: number;
  /** As the door sees them; not there where they may be in the room whatever its rule. */
  caller?: Pick<Caller, "kind" | "id">;
}

/** A message that is not stored yet, and who waits for it. */
interface Said {
  userId: string;
  frame: ClientFrame & { type: "chat" };
  timestamp: number;
  /** More than one where the message was sent again meanwhile. */
  senders: WebSocket[];
}

/** A page of the history. */
export interface Page {
  messages: Message[];
  /** The oldest number that is kept, and the newest. */
  first: number;
  last: number;
}

/** Whether somebody may read a file. */
export type Readable = { kind: "found"; upload: Upload } | { kind: "forbidden" | "missing" };

export class ChatRoomDO extends DurableObject<Env> {
  readonly #schema: Schema;
  readonly #historyLimit: number;
  readonly #retentionMs: number | undefined;
  readonly #uploads: Uploads;
  /** Users who were said to have left. Sockets that close together tell so one by one, and are listed no more. */
  readonly #gone = new Set<string>();
  /** Sessions that ended a moment ago: who is on their way in by one of them comes too late. */
  readonly #ended = new Set<string>();
  /** As stored, or what the stack says of rooms without a rule. */
  #door: Door;
  #opened: History | undefined;
  #remembered: Sent | undefined;
  /** Whether the alarm is known to be set for messages that become too old. */
  #sweepArmed = false;
  readonly #commits = new GroupCommit<Said, undefined>((queue) => this.#flush(queue));

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#schema = new Schema(ctx.storage, STEPS);
    const { historyLimit, retentionDays, rooms } = stackOf(env).settings.chat;
    this.#door = ctx.storage.kv.get<Door>(DOOR) ?? { rule: rooms, members: [] };
    this.#historyLimit = historyLimit;
    this.#retentionMs = retentionDays === undefined ? undefined : retentionDays * DAY_MS;
    this.#uploads = new Uploads(ctx.storage.sql);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
  }

  /** Lets somebody in; the Worker has made sure who they are (`joinRequest`). */
  override async fetch(request: Request): Promise<Response> {
    const { userId, token, session, undecided: caller, after, subprotocol } = readJoinRequest(request);
    if (session !== undefined && this.#ended.has(session)) {
      return problemResponse(deadCredential("The session").problem);
    }
    if (caller && !isLetIn(caller, this.#door)) return problemResponse(denied(caller).problem);
    const sockets = this.#open();
    if (sockets.length >= MAX_SOCKETS) {
      return problemResponse({
        kind: "unavailable",
        detail: `The room is full: ${MAX_SOCKETS} are in it; try again later`,
        headers: { "Retry-After": "60" },
      });
    }
    const { 0: client, 1: server } = new WebSocketPair();
    const wasHere = this.#open(userId).length > 0;
    this.#gone.delete(userId);
    this.ctx.acceptWebSocket(server, [
      tagOf(userId),
      ...(subprotocol === "chat.batched" ? [BATCHED] : []),
      ...(session === undefined ? [] : [tagOfSession(session)]),
    ]);
    const now = Date.now();
    const seen = caller && { caller: { kind: caller.kind, id: caller.id } };
    keep(server, { userId, bucket: full(MESSAGE_RATE, now), typedAt: 0, ...seen });
    this.#welcome(server, { userId, ...(token !== undefined && { token }) }, after);
    if (!wasHere) this.#broadcast({ type: "user_joined", userId, timestamp: now }, server);
    if (!this.#sweepArmed) await this.#armSweep(0);
    const headers = subprotocol && { "Sec-WebSocket-Protocol": subprotocol };
    return new Response(null, { status: 101, webSocket: client, ...(headers && { headers }) });
  }

  /** A page of what is kept, for `reader`; where that is not given, they may read. */
  messages(range: Range, reader?: Caller): Page | "denied" {
    return isLetIn(reader, this.#door) ? this.#page(range) : "denied";
  }

  /** Who may be in the room, for who may change it. */
  door(keeper?: Caller): Door | "denied" {
    return isKeeper(keeper, this.#door) ? this.#door : "denied";
  }

  /** Sets the rule, and the owner where one is given. */
  setDoor({ rule, owner }: Pick<Door, "rule" | "owner">, keeper?: Caller): Door | "denied" {
    return this.#changeDoor(keeper, (door) => ({ ...door, rule, ...(owner !== undefined && { owner }) }));
  }

  /** Makes a user a member; "full" where there are too many. */
  invite(userId: string, keeper?: Caller): Door | "denied" | "full" {
    const { members } = this.#door;
    if (members.includes(userId)) return this.door(keeper);
    if (members.length >= MAX_MEMBERS && isKeeper(keeper, this.#door)) return "full";
    return this.#changeDoor(keeper, (door) => ({ ...door, members: [...members, userId] }));
  }

  /** Takes a user out of the members. */
  remove(userId: string, keeper?: Caller): Door | "denied" {
    return this.#changeDoor(keeper, (door) => ({ ...door, members: door.members.filter((id) => id !== userId) }));
  }

  /** Changes the door, and puts out who may not be here any more. */
  #changeDoor(keeper: Caller | undefined, change: (door: Door) => Door): Door | "denied" {
    if (!isKeeper(keeper, this.#door)) return "denied";
    const door = change(this.#door);
    this.ctx.storage.kv.put(DOOR, door);
    this.#door = door;
    for (const socket of this.#open()) {
      if (!isLetIn(stateOf(socket)?.caller, door)) this.#putOut(socket, "You may not be in this room any more");
    }
    return door;
  }

  /** A session has ended: its sockets close, and who is on their way in by it stays out. */
  sessionEnded(session: string): void {
    this.#ended.add(session);
    const [oldest] = this.#ended.size > MAX_SOCKETS ? this.#ended : [];
    if (oldest !== undefined) this.#ended.delete(oldest);
    for (const socket of this.ctx.getWebSockets(tagOfSession(session))) this.#putOut(socket, "Your session has ended");
  }

  /** Whether a session has a socket here. */
  holdsSession(session: string): boolean {
    return this.ctx.getWebSockets(tagOfSession(session)).some(({ readyState }) => readyState === WebSocket.OPEN);
  }

  #putOut(socket: WebSocket, why: string): void {
    attempt(() => socket.close(1_008, why));
    this.#leave(socket);
  }

  #page(range: Range): Page {
    const history = this.#history();
    return history
      ? { messages: history.read(range), first: history.first, last: history.last }
      : { messages: [], first: 1, last: 0 };
  }

  /** Announces a file that is about to be stored in R2. */
  async reserve(upload: Upload, uploader?: Caller): Promise<"reserved" | "too-many" | "denied"> {
    if (!isLetIn(uploader, this.#door)) return "denied";
    this.#schema.create();
    const now = Date.now();
    if (!this.#uploads.reserve(upload, now)) return "too-many";
    await this.#arm(this.#uploads.nextDue(now) ?? now);
    return "reserved";
  }

  /** The file is in R2. False where it came too late. */
  stored(key: string): boolean {
    return !this.#schema.empty && this.#uploads.stored(key);
  }

  /** The file, if this user may read it: who is in the room, has a message in its history, or uploaded it. */
  attachment(key: string, userId: string, reader?: Caller): Readable {
    if (!isLetIn(reader, this.#door)) return { kind: "forbidden" };
    const found = this.#schema.empty ? undefined : this.#uploads.find(key);
    if (!found) return { kind: "missing" };
    const { upload, sent } = found;
    if (upload.userId === userId) return { kind: "found", upload };
    const isMember = this.#open(userId).length > 0 || this.#history()?.hasWriter(userId) === true;
    if (!isMember) return { kind: "forbidden" };
    return sent ? { kind: "found", upload } : { kind: "missing" };
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    const read = readFrame(data);
    if (!read.ok) {
      const { ok: _, ...error } = read;
      return send(socket, { type: "error", ...error });
    }
    const state = stateOf(socket);
    if (!state) return;
    const { frame } = read;
    if (frame.type === "ping") send(socket, { type: "pong" });
    else if (frame.type === "typing") this.#type(socket, state);
    else await this.#chat(socket, state, frame);
  }

  override webSocketClose(socket: WebSocket, code: number, reason: string): void {
    // The other half of the handshake, for runtimes that leave it to us. Some codes only say that there was none.
    const sendable = code === 1_000 || (code >= 3_000 && code < 5_000);
    attempt(() => (sendable ? socket.close(code, reason) : socket.close()));
    this.#leave(socket);
  }

  override webSocketError(socket: WebSocket): void {
    attempt(() => socket.close());
    this.#leave(socket);
  }

  /** Deletes messages that are too old and files that nobody needs. Safe early, late and twice; tries for ever. */
  override async alarm(): Promise<void> {
    if (this.#schema.empty) return;
    const now = Date.now();
    this.#deleteAged(now);
    const leaving = this.#uploads.leaving(now);
    let deleted = true;
    try {
      if (leaving.length > 0) await this.env.BLOBS.delete(leaving.map(({ blob }) => blob));
      this.#uploads.forget(leaving.map(({ key }) => key));
    } catch (error) {
      deleted = false;
      console.error(JSON.stringify({ chat: "attachments not deleted", error: String(error) }));
    }
    const due = this.#uploads.nextDue(now);
    if (due !== undefined) await this.#arm(deleted ? Math.max(due, now) : now + RETRY_DELETE_AFTER_MS);
    await this.#armSweep(now + SWEEP_INTERVAL_MS);
  }

  #deleteAged(now: number): void {
    const [history, sent] = [this.#history(), this.#sent()];
    if (this.#retentionMs === undefined || !history || !sent) return;
    this.ctx.storage.transactionSync(() => {
      for (const { key } of history.deleteHidden()) this.#uploads.leave(key);
      sent.deleteAged(now);
    });
  }

  /** Makes sure that messages are deleted when they are too old, though not before `earliest`. */
  async #armSweep(earliest: number): Promise<void> {
    if (this.#retentionMs === undefined) return;
    const due = this.#history()?.agedAt();
    if (due !== undefined) await this.#arm(Math.max(due, earliest));
    this.#sweepArmed = due !== undefined;
  }

  /** The history, once anything was said. */
  #history(): History | undefined {
    if (this.#schema.empty) return undefined;
    this.#opened ??= new History(this.ctx.storage.sql, { limit: this.#historyLimit, retentionMs: this.#retentionMs });
    this.#opened.hideAged(Date.now());
    return this.#opened;
  }

  /** What a newcomer misses, and who is here. */
  #welcome(socket: WebSocket, who: { userId: string; token?: string }, after: number | undefined): void {
    const { first, last } = this.#page({ limit: 0 });
    // Numbers beyond the newest are from a room that is no more: nothing that the client has goes on here.
    const resumable = after === undefined || (after >= first - 1 && after <= last);
    if (after !== undefined && !resumable) send(socket, { type: "gap", after, first });
    let from = after !== undefined && resumable ? after : first - 1;
    for (let more = true; more; ) {
      const { messages } = this.#page({ after: from, limit: MESSAGES_PER_FRAME });
      from = messages.at(-1)?.seq ?? last;
      more = from < last;
      send(socket, { type: "history", messages, last, more, ...who });
    }
    send(socket, { type: "presence", users: this.#present() });
  }

  async #chat(socket: WebSocket, state: SocketState, frame: ClientFrame & { type: "chat" }): Promise<void> {
    const { text, clientId, attachment } = frame;
    const { userId } = state;
    const now = Date.now();

    const before = clientId === undefined ? undefined : this.#sent()?.find(userId, clientId, now);
    if (before && before.fingerprint !== fingerprint(text, attachment)) return refuse([socket], frame, CONFLICT);
    if (before) return acknowledge([socket], frame, before, true);
    const waiting = this.#commits.waiting.find((said) => said.userId === userId && said.frame.clientId === clientId);
    if (waiting && clientId !== undefined) {
      const same = waiting.frame.text === text && waiting.frame.attachment === attachment;
      if (same) waiting.senders.push(socket);
      else refuse([socket], frame, CONFLICT);
      return this.#commits.settled();
    }

    const taken = take(refill(state.bucket, MESSAGE_RATE, now), MESSAGE_RATE, 1);
    if (!taken.allowed) {
      const retryAfter = Math.max(Math.ceil(waitFor(taken.bucket, MESSAGE_RATE, 1, now) / 1_000), 1);
      const { capacity, periodSeconds } = MESSAGE_RATE;
      const error = `Too many messages: at most ${capacity} in ${periodSeconds} s; wait ${retryAfter} s`;
      return refuse([socket], frame, { code: "rate-limited", error, retryAfter });
    }
    keep(socket, { ...state, bucket: taken.bucket });

    await this.#commits.commit({ userId, frame, timestamp: now, senders: [socket] });
  }

  /** Stores and shows what was said. */
  async #flush(queue: readonly Said[]): Promise<readonly undefined[]> {
    // Who joins from here on finds these messages in the history.
    const audience = this.#open();
    const stored = this.#store(queue);
    await this.ctx.storage.sync();
    this.#show(
      stored.messages.map(({ message }) => message),
      audience,
    );
    for (const { said, message } of stored.messages) acknowledge(said.senders, said.frame, message, false);
    if (stored.trimmed) await this.#arm(Date.now() + DELETE_AFTER_MS);
    if (!this.#sweepArmed) await this.#armSweep(0);
    return queue.map(() => undefined);
  }

  /** Shows new messages: in as few frames as may be to those who take them so, and each in its own to the others. */
  #show(messages: readonly Message[], audience: readonly WebSocket[]): void {
    const batched = new Set(messages.length > 1 ? this.ctx.getWebSockets(BATCHED) : []);
    for (const part of batched.size > 0 ? partsOf(messages, MESSAGES_PER_FRAME) : []) {
      broadcast(
        audience.filter((socket) => batched.has(socket)),
        { type: "messages", messages: part },
      );
    }
    const others = audience.filter((socket) => !batched.has(socket));
    for (const message of messages) broadcast(others, { type: "message", message });
  }

  /** Stores messages for good, or none of them. Those that cannot be stored are refused. */
  #store(batch: readonly Said[]): { messages: { said: Said; message: Message }[]; trimmed: boolean } {
    const messages: { said: Said; message: Message }[] = [];
    const refused: Said[] = [];
    let trimmed = false;
    try {
      this.#schema.create();
      const history = this.#history();
      const sent = this.#sent();
      if (!history || !sent) throw new Error("The room's tables are not there");
      this.ctx.storage.transactionSync(() => {
        for (const said of batch) {
          const { text, clientId, attachment: key } = said.frame;
          const attachment = key === undefined ? undefined : this.#uploads.unsent(key, said.userId);
          if (key !== undefined && !attachment) {
            refused.push(said);
            continue;
          }
          const message: Message = {
            id: crypto.randomUUID(),
            seq: history.last + messages.length + 1,
            userId: said.userId,
            text,
            timestamp: said.timestamp,
            ...(clientId !== undefined && { clientId }),
            ...(attachment && { attachment }),
          };
          for (const leaving of history.append(message)) {
            this.#uploads.leave(leaving.key);
            trimmed = true;
          }
          if (attachment) this.#uploads.sent(attachment.key);
          messages.push({ said, message });
        }
        sent.append(messages.map(({ message }) => message));
      });
      for (const { message } of messages) {
        history.appended(message);
        sent.appended(message);
      }
    } catch (error) {
      console.error(JSON.stringify({ chat: "messages not stored", error: String(error) }));
      for (const { senders, frame } of batch) refuse(senders, frame, NOT_STORED);
      return { messages: [], trimmed: false };
    }
    for (const { senders, frame } of refused) refuse(senders, frame, NO_ATTACHMENT);
    return { messages, trimmed };
  }

  /** What was sent in the last day. */
  #sent(): Sent | undefined {
    const history = this.#history();
    if (!history) return undefined;
    this.#remembered ??= new Sent(
      this.ctx.storage.sql,
      history.read({ limit: this.#historyLimit }),
      this.#historyLimit,
    );
    return this.#remembered;
  }

  #type(socket: WebSocket, state: SocketState): void {
    const now = Date.now();
    if (Math.abs(now - state.typedAt) < TYPING_INTERVAL_MS) return;
    keep(socket, { ...state, typedAt: now });
    this.#broadcast({ type: "typing", userId: state.userId }, socket);
  }

  /** Tells the others that a user is gone, once, however many sockets go together and however often each says so. */
  #leave(socket: WebSocket): void {
    const userId = stateOf(socket)?.userId;
    if (userId === undefined || this.#gone.has(userId)) return;
    if (this.#open(userId).some((other) => other !== socket)) return;
    this.#gone.add(userId);
    // No more sockets than fit in can still have something to say.
    const [oldest] = this.#gone.size > MAX_SOCKETS ? this.#gone : [];
    if (oldest !== undefined) this.#gone.delete(oldest);
    this.#broadcast({ type: "user_left", userId, timestamp: Date.now() }, socket);
  }

  /** Everybody in the room, each once. */
  #present(): string[] {
    return [...new Set(this.#open().flatMap((socket) => stateOf(socket)?.userId ?? []))];
  }

  /** The sockets, of one user or all, that frames still go to. A closing one is listed by the runtime, but is gone. */
  #open(userId?: string): WebSocket[] {
    const sockets = userId === undefined ? this.ctx.getWebSockets() : this.ctx.getWebSockets(tagOf(userId));
    return sockets.filter(({ readyState }) => readyState === WebSocket.OPEN);
  }

  #broadcast(frame: ServerFrame, except?: WebSocket): void {
    broadcast(
      this.#open().filter((socket) => socket !== except),
      frame,
    );
  }

  /** Makes sure that the alarm comes by `at`. */
  async #arm(at: number): Promise<void> {
    const set = await this.ctx.storage.getAlarm();
    if (set === null || set > at) await this.ctx.storage.setAlarm(at);
  }
}

/** The request by which the Worker lets somebody into a room. */
export function joinRequest(joining: Joining): Request {
  // Not in the URL, which the platform logs.
  return new Request("https://room/", {
    headers: { Upgrade: "websocket", [JOINING_HEADER]: encodeURIComponent(JSON.stringify(joining)) },
  });
}

function readJoinRequest(request: Request): Joining {
  return JSON.parse(decodeURIComponent(request.headers.get(JOINING_HEADER) ?? ""));
}

const JOINING_HEADER = "X-Joining";
/** Under which the door is stored: one key, because it is whole or not there. */
const DOOR = "door";

/** The tag of sockets that take many messages in one frame. No user's tag: those have a colon. */
const BATCHED = "batched";
const tagOf = (userId: string) => `user:${userId}`;
const tagOfSession = (session: string) => `session:${session}`;

const stateOf = (socket: WebSocket): SocketState | null => socket.deserializeAttachment();

/** A socket that has closed meanwhile can keep nothing any more, and need not. */
const keep = (socket: WebSocket, state: SocketState) => attempt(() => socket.serializeAttachment(state));

/** A frame to one socket; one that is dying must not stop what comes after. */
const send = (socket: WebSocket, frame: ServerFrame) => attempt(() => socket.send(JSON.stringify(frame)));

/** A frame to many, made into text once; a dying socket does not stop the others. */
function broadcast(sockets: readonly WebSocket[], frame: ServerFrame): void {
  const text = JSON.stringify(frame);
  for (const socket of sockets) {
    try {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    } catch {
      // The socket is gone; its close event tells the others.
    }
  }
}

/** Why a message was not taken. */
type Refusal = Omit<ServerFrame & { type: "error" }, "type" | "clientId">;

const CONFLICT: Refusal = { code: "conflict", error: "clientId: another message was sent under this id" };
const NO_ATTACHMENT: Refusal = {
  code: "no-attachment",
  error: "attachment: you have no such upload that is not sent yet",
};
const NOT_STORED: Refusal = { code: "not-stored", error: "The message could not be stored; send it again" };

function refuse(sockets: readonly WebSocket[], { clientId }: { clientId?: string | undefined }, why: Refusal): void {
  broadcast(sockets, { type: "error", ...why, ...(clientId !== undefined && { clientId }) });
}

function acknowledge(
  sockets: readonly WebSocket[],
  { clientId }: { clientId?: string | undefined },
  { seq, id, timestamp }: Pick<Message, "seq" | "id" | "timestamp">,
  duplicate: boolean,
): void {
  const named = clientId === undefined ? {} : { clientId };
  broadcast(sockets, { type: "ack", seq, id, timestamp, ...named, ...(duplicate && { duplicate }) });
}

function partsOf<T>(items: readonly T[], size: number): T[][] {
  const parts = Array.from({ length: Math.ceil(items.length / size) }, (_, index) => index * size);
  return parts.map((from) => items.slice(from, from + size));
}

function attempt(action: () => void): void {
  try {
    action();
  } catch {
    // The socket is gone; its close event tells the others.
  }
}
