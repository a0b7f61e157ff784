/**
 * Who is in a room, and what is sent to them. A user with several sockets is there once, and has left when the last of
 * them is gone. Who does not read, or is not heard of any more, is put out, so that nobody's memory fills up for them.
 * What a socket must know after the room has slept is in its attachment and its tags; memory only repeats it.
 */
import { acceptSocket, closeSocket, isOpen, keepWith, openSockets, sendTo } from "../objects/sockets.ts";
import type { Caller } from "../who.ts";
import type { Left } from "./budgets.ts";
import type { ServerFrame } from "./protocol.ts";
import {
  type Amount,
  ASK_AFTER_MS,
  heard,
  isTooFarBehind,
  newReading,
  type Reading,
  SILENT_AFTER_MS,
  seen,
  sent,
} from "./readers.ts";

/** Sockets of one room. */
export const MAX_SOCKETS = 1_000;
/** A room of more people tells nobody who comes, goes and types. */
export const MAX_SHOWN = 100;
/** How long many who come and go are gathered into one frame. */
const GATHER_MS = 1_000;
/** Sockets that are closed and whose client does not answer: so many times those that may be open. */
const CLOSING_FACTOR = 2;
/** An attachment is written so often at most for what changes at every frame: well before a room falls asleep. */
const KEEP_EVERY_MS = 5_000;
const KEEP_EVERY: Amount = { messages: 20, bytes: 32 * 1_024 };
/** The room looks for silent sockets so often at most; where all of them ping, as often as they do. */
const LOOK_EVERY_MS = 5_000;

/** Close codes (RFC 6455, 7.4.1, and IANA's registry): against the room's rules; and "try again later". */
export const POLICY = 1_008;
const TRY_AGAIN = 1_013;

/** The tag of sockets that take many messages in one frame. No other tag: those have a colon. */
const BATCHED = "batched";
const tagOf = (userId: string) => `user:${userId}`;
const tagOfSession = (session: string) => `session:${session}`;
const tagOfAddress = (address: string) => `address:${address}`;

/** Somebody who comes in. */
export interface Newcomer {
  readonly userId: string;
  readonly address?: string | undefined;
  readonly session?: string | undefined;
  readonly isBatched: boolean;
  /** As the door sees them; not there where they may be in the room whatever its rule. */
  readonly caller?: Caller | undefined;
  readonly known?: true | undefined;
  readonly until?: number | undefined;
}

/** What a socket remembers: with the longest names under 2 KiB. */
export interface Member {
  readonly userId: string;
  readonly address?: string;
  readonly caller?: Pick<Caller, "kind" | "id">;
  /** Whether it is somebody known, in whose room things stay. */
  readonly known?: true;
  /** When what they came with expires (ms since the epoch). */
  readonly until?: number;
  readonly left: Left;
  readonly reading: Reading;
  /** When this was written down last (ms since the epoch). */
  readonly keptAt: number;
}

/** What the audience asks the budgets. */
export interface News {
  left(userId: string, now: number): Left;
  mayTell(now: number): boolean;
}

export class Audience {
  readonly #ctx: DurableObjectState;
  readonly #budgets: News;
  /** What sockets remember, read once. */
  readonly #members = new WeakMap<WebSocket, Member>();
  /** Users who were said to have left. Sockets that close together tell so one by one, and are listed no more. */
  readonly #gone = new Set<string>();
  /** While many come and go. A room does not fall asleep before it has told so. */
  #gathering: ReturnType<typeof setTimeout> | undefined;

  constructor(ctx: DurableObjectState, budgets: News) {
    this.#ctx = ctx;
    this.#budgets = budgets;
  }

  /** Whether a user, or a network address, has as many sockets as it may have. */
  hasAll(whose: { readonly userId: string } | { readonly address: string }, limit: number): boolean {
    const listed = this.#ctx.getWebSockets("userId" in whose ? tagOf(whose.userId) : tagOfAddress(whose.address));
    return listed.length >= limit * CLOSING_FACTOR || listed.filter(isOpen).length >= limit;
  }

  /** Lets a socket in. Returns the client's end and ours, and whether its user was here before. */
  admit(newcomer: Newcomer, now: number): { client: WebSocket; server: WebSocket; wasHere: boolean } {
    const { userId, address, session, isBatched, caller, known, until } = newcomer;
    const wasHere = this.open(userId).length > 0;
    this.#gone.delete(userId);
    const tags = [
      tagOf(userId),
      ...(address === undefined ? [] : [tagOfAddress(address)]),
      ...(session === undefined ? [] : [tagOfSession(session)]),
      ...(isBatched ? [BATCHED] : []),
    ];
    const member: Member = {
      userId,
      ...(address !== undefined && { address }),
      ...(caller && { caller: { kind: caller.kind, id: caller.id } }),
      ...(known && { known }),
      ...(until !== undefined && { until }),
      left: this.#budgets.left(userId, now),
      reading: newReading(now),
      keptAt: now,
    };
    const ends = acceptSocket(this.#ctx, { tags, attachment: member });
    this.#members.set(ends.server, member);
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

  memberOf(socket: WebSocket): Member | undefined {
    const known = this.#members.get(socket);
    if (known) return known;
    const member: Member | null = socket.deserializeAttachment();
    if (member) this.#members.set(socket, member);
    return member ?? undefined;
  }

  /** What each of a user's sockets has kept of their budgets. */
  keptOf(userId: string): Left[] {
    return this.open(userId).flatMap((socket) => this.memberOf(socket)?.left ?? []);
  }

  /** Something came from a socket; `since`: what was sent after what it says that it has seen. */
  heard(socket: WebSocket, now: number, since?: Amount): void {
    const member = this.memberOf(socket);
    if (!member) return;
    this.#note(socket, member, since ? seen(now, since) : heard(member.reading, now), now);
  }

  /** Writes down what a user has left, for a room that falls asleep. */
  keep(socket: WebSocket, now: number): void {
    const member = this.memberOf(socket);
    if (member) this.#write(socket, member, now);
  }

  /** Everybody in the room, each once. */
  present(): string[] {
    return [...new Set(this.open().flatMap((socket) => this.memberOf(socket)?.userId ?? []))];
  }

  /** The frame that says who is here. */
  presence(): ServerFrame {
    const users = this.present();
    if (users.length <= MAX_SHOWN) return { type: "presence", users };
    return { type: "presence", users: users.slice(0, MAX_SHOWN), count: users.length };
  }

  /** A frame to all who read. */
  tell(frame: ServerFrame, except?: WebSocket): void {
    this.deliver(
      this.readers().filter((socket) => socket !== except),
      frame,
    );
  }

  /** The sockets of who keeps up. Who is too far behind is put out, and so is whose token has expired. */
  readers(): WebSocket[] {
    const all = this.open().filter((socket) => !this.isOver(socket));
    const behind = all.filter((socket) => this.#isBehind(socket));
    for (const socket of behind) {
      this.putOut(socket, TRY_AGAIN, "You are too far behind: connect again with ?after=<the last number you have>");
    }
    return behind.length > 0 ? all.filter(isOpen) : all;
  }

  /** Whether what somebody came with has expired: then they are put out. */
  isOver(socket: WebSocket): boolean {
    const until = this.memberOf(socket)?.until;
    if (until === undefined || until > Date.now()) return false;
    this.putOut(socket, POLICY, "Your token has expired: connect again with another");
    return true;
  }

  /** A frame to some, made into text once. `messages`: how many are in it. */
  deliver(sockets: readonly WebSocket[], frame: ServerFrame, messages = 0): void {
    const text = JSON.stringify(frame);
    const amount = { messages, bytes: bytesOf(text) };
    const now = Date.now();
    for (const socket of sockets) {
      if (!isOpen(socket)) continue;
      sendTo(socket, text);
      const member = this.memberOf(socket);
      if (member) this.#note(socket, member, sent(member.reading, amount), now);
    }
  }

  /** Tells the others that somebody is new here. */
  joined(userId: string, socket: WebSocket, now: number): void {
    this.#announce({ type: "user_joined", userId, timestamp: now }, MAX_SHOWN + 1, socket);
  }

  /** Closes a socket, and tells the others. */
  putOut(socket: WebSocket, code: number, why: string): void {
    closeSocket(socket, code, why);
    this.leave(socket);
  }

  /** Tells the others that a user is gone, once, however many sockets go together and however often each says so. */
  leave(socket: WebSocket): void {
    const userId = this.memberOf(socket)?.userId;
    if (userId === undefined || this.#gone.has(userId)) return;
    if (this.open(userId).some((other) => other !== socket)) return;
    this.#gone.add(userId);
    // No more sockets than fit in can still have something to say.
    const [oldest] = this.#gone.size > MAX_SOCKETS ? this.#gone : [];
    if (oldest !== undefined) this.#gone.delete(oldest);
    this.#announce({ type: "user_left", userId, timestamp: Date.now() }, MAX_SHOWN, socket);
  }

  /**
   * Asks who was silent for a while, and puts out who still is. Returns when to look again (ms since the epoch);
   * undefined where nobody would see a difference, because there is one person only, or a crowd.
   */
  lookForSilent(now: number): number | undefined {
    if (!this.isCompany()) return undefined;
    let next = Number.POSITIVE_INFINITY;
    for (const socket of this.open()) {
      const lastSign = this.#lastSign(socket);
      // A clock that went back says nothing of anybody.
      const silence = Math.max(now - lastSign, 0);
      if (silence >= SILENT_AFTER_MS) {
        this.putOut(socket, TRY_AGAIN, 'Nothing was heard of you for a while: send {"type":"ping"} every 20 seconds');
        continue;
      }
      if (silence >= ASK_AFTER_MS) sendTo(socket, JSON.stringify({ type: "ping" } satisfies ServerFrame));
      next = Math.min(next, now - silence + (silence >= ASK_AFTER_MS ? SILENT_AFTER_MS : ASK_AFTER_MS));
    }
    return this.isCompany() ? Math.max(next, now + LOOK_EVERY_MS) : undefined;
  }

  /** Whether people here see of each other who is here. */
  isCompany(): boolean {
    const { length } = this.present();
    return length > 1 && length <= MAX_SHOWN;
  }

  #lastSign(socket: WebSocket): number {
    const answered = this.#ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0;
    return Math.max(answered, this.memberOf(socket)?.reading.heardAt ?? 0);
  }

  /** A ping that the runtime has answered is a sign too. It is only looked for where it would make a difference. */
  #isBehind(socket: WebSocket): boolean {
    const member = this.memberOf(socket);
    if (!member || !isTooFarBehind(member.reading)) return false;
    const lastSign = this.#lastSign(socket);
    if (lastSign <= member.reading.heardAt) return true;
    const reading = heard(member.reading, lastSign);
    this.#members.set(socket, { ...member, reading });
    return isTooFarBehind(reading);
  }

  /** Tells who came or went. With `edge` people in the room, it has just become a crowd, or is none any more. */
  #announce(frame: ServerFrame, edge: number, except: WebSocket): void {
    const { length } = this.present();
    if (length > edge) return;
    if (length < edge && this.#gathering === undefined && this.#budgets.mayTell(Date.now())) this.tell(frame, except);
    else this.#gathering ??= setTimeout(() => this.#tellGathered(), GATHER_MS);
  }

  #tellGathered(): void {
    this.#gathering = undefined;
    this.tell(this.presence());
  }

  #note(socket: WebSocket, before: Member, reading: Reading, now: number): void {
    const { unseen } = before.reading;
    const member = { ...before, reading };
    const isDue = Math.abs(now - before.keptAt) >= KEEP_EVERY_MS && reading.heardAt !== before.reading.heardAt;
    if (isDue || isNextStep(unseen, reading.unseen)) this.#write(socket, member, now);
    else this.#members.set(socket, member);
  }

  #write(socket: WebSocket, member: Member, now: number): void {
    const kept = { ...member, left: this.#budgets.left(member.userId, now), keptAt: now };
    this.#members.set(socket, kept);
    keepWith(socket, kept);
  }
}

/** A frame to one socket, of which nobody keeps count: the greeting, which is as long as the history. */
export const greet = (socket: WebSocket, frame: ServerFrame): void => sendTo(socket, JSON.stringify(frame));

function isNextStep(before: Amount, after: Amount): boolean {
  const moved = (key: keyof Amount) =>
    Math.floor(before[key] / KEEP_EVERY[key]) !== Math.floor(after[key] / KEEP_EVERY[key]);
  return moved("messages") || moved("bytes");
}

const encoder = new TextEncoder();
export const bytesOf = (text: string) => encoder.encode(text).byteLength;
