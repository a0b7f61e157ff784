/**
 * Who is in a room. A user with several sockets is there once, and has left when the last of them is gone. What a
 * socket must know after the room has slept is in its attachment and its tags; memory only repeats it.
 */
import { acceptSocket, closeSocket, isOpen, keepWith, openSockets, sendTo } from "../objects/sockets.ts";
import type { Caller } from "../who.ts";
import type { ServerFrame } from "./protocol.ts";

/** Sockets of one room. */
export const MAX_SOCKETS = 1_000;

/** The tag of sockets that take many messages in one frame. No user's tag: those have a colon. */
const BATCHED = "batched";
const tagOf = (userId: string) => `user:${userId}`;
const tagOfSession = (session: string) => `session:${session}`;

/** Somebody who comes in. `State`: what their socket remembers. */
export interface Newcomer<State> {
  readonly userId: string;
  readonly session?: string | undefined;
  readonly isBatched: boolean;
  readonly state: State;
}

/** What the audience itself must know of a socket. */
export interface Member {
  readonly userId: string;
  /** As the door sees them; not there where they may be in the room whatever its rule. */
  readonly caller?: Pick<Caller, "kind" | "id">;
}

export class Audience<State extends Member> {
  readonly #ctx: DurableObjectState;
  /** What sockets remember, read once. */
  readonly #states = new WeakMap<WebSocket, State>();
  /** Users who were said to have left. Sockets that close together tell so one by one, and are listed no more. */
  readonly #gone = new Set<string>();

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
  }

  /** Lets a socket in. Returns the client's end and ours, and whether its user was here before. */
  admit({ userId, session, isBatched, state }: Newcomer<State>): {
    client: WebSocket;
    server: WebSocket;
    wasHere: boolean;
  } {
    const wasHere = this.open(userId).length > 0;
    this.#gone.delete(userId);
    const tags = [
      tagOf(userId),
      ...(isBatched ? [BATCHED] : []),
      ...(session === undefined ? [] : [tagOfSession(session)]),
    ];
    const ends = acceptSocket(this.#ctx, { tags, attachment: state });
    this.#states.set(ends.server, state);
    return { ...ends, wasHere };
  }

  /** The sockets, of one user or all, that frames still go to. A closing one is listed by the runtime, but is gone. */
  open(userId?: string): WebSocket[] {
    return openSockets(this.#ctx, userId === undefined ? undefined : tagOf(userId));
  }

  /** The sockets of a session that are open. */
  ofSession(session: string): WebSocket[] {
    return openSockets(this.#ctx, tagOfSession(session));
  }

  /** Those that take many messages in one frame. */
  batched(): ReadonlySet<WebSocket> {
    return new Set(this.#ctx.getWebSockets(BATCHED));
  }

  stateOf(socket: WebSocket): State | undefined {
    const known = this.#states.get(socket);
    if (known) return known;
    const state: State | null = socket.deserializeAttachment();
    if (state) this.#states.set(socket, state);
    return state ?? undefined;
  }

  keep(socket: WebSocket, state: State): void {
    this.#states.set(socket, state);
    keepWith(socket, state);
  }

  /** Everybody in the room, each once. */
  present(): string[] {
    return [...new Set(this.open().flatMap((socket) => this.stateOf(socket)?.userId ?? []))];
  }

  /** A frame to all, made into text once. */
  tell(frame: ServerFrame, except?: WebSocket): void {
    sendAll(
      this.open().filter((socket) => socket !== except),
      frame,
    );
  }

  /** Closes a socket, and tells the others. */
  putOut(socket: WebSocket, code: number, why: string): void {
    closeSocket(socket, code, why);
    this.leave(socket);
  }

  /** Tells the others that a user is gone, once, however many sockets go together and however often each says so. */
  leave(socket: WebSocket): void {
    const userId = this.stateOf(socket)?.userId;
    if (userId === undefined || this.#gone.has(userId)) return;
    if (this.open(userId).some((other) => other !== socket)) return;
    this.#gone.add(userId);
    // No more sockets than fit in can still have something to say.
    const [oldest] = this.#gone.size > MAX_SOCKETS ? this.#gone : [];
    if (oldest !== undefined) this.#gone.delete(oldest);
    this.tell({ type: "user_left", userId, timestamp: Date.now() }, socket);
  }
}

/** A frame to one socket. */
export const send = (socket: WebSocket, frame: ServerFrame): void => sendTo(socket, JSON.stringify(frame));

/** A frame to many, made into text once. */
export function sendAll(sockets: readonly WebSocket[], frame: ServerFrame): void {
  const text = JSON.stringify(frame);
  for (const socket of sockets) if (isOpen(socket)) sendTo(socket, text);
}
