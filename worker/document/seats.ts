/**
 * The sockets at a document, and what the document knows of each. All of it is in the sockets' attachments and tags;
 * the fields here only repeat it. A client that does not read fills the memory with its frames: so every now and then
 * the document asks it for what it has (a step 1), which it can only answer once it has read all before that.
 */
import { acceptSocket, isOpen, openSockets } from "../objects/sockets.ts";
import type { Joining, Visitor } from "./joining.ts";
import type { ClientState } from "./wire.ts";

/** After so many bytes a client is asked whether it has read them. */
export const ASK_BYTES = 256 * 1_024;
/** A client to which more was sent since it was asked is closed. */
export const MAX_UNREAD_BYTES = 1_024 * 1_024;
/** The most bytes that all clients together have not read yet, without ASK_BYTES of each: an object has 128 MiB. */
const MAX_ALL_UNREAD = 32 * 1_024 * 1_024;
/** Those of one user, who may always have one document: who reads nothing keeps only themselves out. */
const MAX_OWN_UNREAD = MAX_ALL_UNREAD / 4;
/** The slowest that a client may read: 64 KiB a second. */
const BYTES_PER_MS = 64;
/** An attachment is written anew after so many bytes, in case the object falls asleep. */
const KEEP_BYTES = 64 * 1_024;
/** After so long without a frame a client is asked, and after so long without an answer it is closed. */
export const ASK_AFTER_MS = 240_000;
const ANSWER_WITHIN_MS = 30_000;

/** Close codes of y-websocket, whose client does not come back after them. */
export const FORBIDDEN = 4_403;
export const GONE = 4_410;

/** What is known of a socket: its attachment. */
export interface Seat extends Visitor {
  readonly userId: string;
  readonly known?: true;
  /** When the caller's token expires (ms since the epoch). */
  readonly until?: number;
  states: ClientState[];
  /** When its last frame came (ms since the epoch). */
  heardAt: number;
  /** Bytes that were sent to it since it last answered. */
  unread: number;
  /** Since when it was asked, and how many of the unread bytes were sent before that. */
  asked?: { readonly at: number; readonly bytes: number } | undefined;
  /** Whether an update of it was left out, because it builds on others. The next answer may have been made before. */
  lacking?: true | undefined;
}

const tagOf = (kind: "user" | "address" | "session", id: string) => `${kind}:${id}`;

/** How many sockets there may be. */
export interface Places {
  readonly sockets: number;
  readonly socketsPerUser: number;
  readonly socketsPerAddress: number;
}

export class Seats {
  readonly #ctx: DurableObjectState;
  /** Undefined until somebody asks after the object woke. */
  #listed: Map<WebSocket, Seat> | undefined;
  /** Those of the sockets that were closed. The end of one may be reported after that. */
  readonly #left = new WeakMap<WebSocket, Seat | undefined>();

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
  }

  /** All sockets, also those that close and still have states to give up. */
  get all(): ReadonlyMap<WebSocket, Seat> {
    return this.#list;
  }

  get #list(): Map<WebSocket, Seat> {
    if (this.#listed) return this.#listed;
    const listed = new Map<WebSocket, Seat>();
    for (const socket of this.#ctx.getWebSockets()) {
      const seat = seatOf(socket);
      if (seat) listed.set(socket, seat);
    }
    this.#listed = listed;
    return listed;
  }

  /** The open sockets. */
  get open(): [WebSocket, Seat][] {
    return [...this.#list].filter(([socket]) => isOpen(socket));
  }

  ofSession(session: string): WebSocket[] {
    return openSockets(this.#ctx, tagOf("session", session));
  }

  /** Which limit one more socket would pass, as a sentence. */
  whyFull({ caller, address }: Joining, places: Places): string | undefined {
    const count = (tag?: string) => openSockets(this.#ctx, tag).length;
    if (count() >= places.sockets) return `The document is full: it has ${places.sockets} connections`;
    if (count(tagOf("user", caller.id)) >= places.socketsPerUser) {
      return `You have ${places.socketsPerUser} connections to this document already; close one of them first`;
    }
    if (count(tagOf("address", address)) < places.socketsPerAddress) return undefined;
    return `Your network address has ${places.socketsPerAddress} connections to this document already`;
  }

  /** Accepts a socket. Returns the client's end, ours, and its seat. */
  admit(joining: Joining, now: number): { client: WebSocket; server: WebSocket; seat: Seat } {
    const { caller, rulings, address, session, known, until } = joining;
    const all = this.#list;
    const seat: Seat = {
      caller: { kind: caller.kind, id: caller.id },
      rulings,
      userId: caller.id,
      ...(known && { known }),
      ...(until !== undefined && { until }),
      states: [],
      heardAt: now,
      unread: 0,
    };
    const tags = [
      tagOf("user", caller.id),
      tagOf("address", address),
      ...(session === undefined ? [] : [tagOf("session", session)]),
    ];
    const ends = acceptSocket(this.#ctx, { tags, attachment: seat });
    all.set(ends.server, seat);
    return { ...ends, seat };
  }

  /** Writes the attachment after a change of the seat. */
  keep(socket: WebSocket, seat: Seat): void {
    socket.serializeAttachment(seat);
  }

  /** Notes a frame. `answers`: it answers our step 1, so all that was sent before that was read. */
  heard(socket: WebSocket, seat: Seat, now: number, answers: boolean): void {
    seat.heardAt = now;
    if (!answers || !seat.asked) return;
    seat.unread -= seat.asked.bytes;
    seat.asked = undefined;
    this.keep(socket, seat);
  }

  /** Counts what is about to be sent. Returns what to do with the socket first: ask it, or close it. */
  count(socket: WebSocket, seat: Seat, bytes: number): "fine" | "ask" | "behind" {
    const before = seat.unread;
    seat.unread += bytes;
    // What was sent before the question, and this frame, may be as large as the document.
    if (before - (seat.asked?.bytes ?? 0) > MAX_UNREAD_BYTES) return "behind";
    if (Math.floor(before / KEEP_BYTES) !== Math.floor(seat.unread / KEEP_BYTES)) this.keep(socket, seat);
    return seat.unread > ASK_BYTES && !seat.asked ? "ask" : "fine";
  }

  /** Whether so many more bytes may wait for a user in memory, beside what waits for all, and for them. */
  hasRoom(bytes: number, user: string): boolean {
    let [all, own] = [bytes, 0];
    // Also for sockets that close, until their clients answer that.
    for (const socket of this.#ctx.getWebSockets()) {
      const { unread = 0, userId } = this.#list.get(socket) ?? this.#left.get(socket) ?? {};
      // Clients that read are asked only after so many bytes.
      const late = Math.max(unread - ASK_BYTES, 0);
      all += late;
      if (userId === user) own += late;
    }
    return all <= MAX_ALL_UNREAD && (own === 0 || own + bytes <= MAX_OWN_UNREAD);
  }

  /** The sockets that were asked so long ago that they read more slowly than they may. */
  slow(now: number): WebSocket[] {
    return this.open.flatMap(([socket, { asked }]) =>
      asked && asked.at <= now - ANSWER_WITHIN_MS - asked.bytes / BYTES_PER_MS ? [socket] : [],
    );
  }

  /** Notes that a socket was asked. */
  ask(socket: WebSocket, seat: Seat, now: number): void {
    seat.asked = { at: now, bytes: seat.unread };
    this.keep(socket, seat);
  }

  /** The sockets that were silent for long: those to ask, and those that did not answer. And when to look again. */
  silent(now: number): { ask: [WebSocket, Seat][]; lost: WebSocket[]; next: number | undefined } {
    const open = this.open;
    const quiet = open.filter(([, { heardAt }]) => heardAt <= now - ASK_AFTER_MS);
    return {
      ask: quiet.filter(([, { asked }]) => asked === undefined),
      lost: quiet.filter(([, { asked }]) => asked && asked.at <= now - ANSWER_WITHIN_MS).map(([socket]) => socket),
      next: open.length > 0 ? now + (quiet.length > 0 ? ANSWER_WITHIN_MS : ASK_AFTER_MS) : undefined,
    };
  }

  /** The socket is closed: forgets its seat, and returns it the first time. */
  leave(socket: WebSocket): Seat | undefined {
    if (this.#left.has(socket)) return undefined;
    // The object may have woken for this: then the socket is listed no more, but has its attachment.
    const seat = this.#list.get(socket) ?? seatOf(socket);
    this.#list.delete(socket);
    this.#left.set(socket, seat);
    return seat;
  }
}

function seatOf(socket: WebSocket): Seat | undefined {
  const seat: Seat | null = socket.deserializeAttachment();
  return seat ?? undefined;
}
