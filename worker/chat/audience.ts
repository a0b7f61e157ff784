/**
 * Who is in a room, and the frames that they get. A user with several sockets is listed once, and has left when the
 * last socket is closed. The room closes the sockets of clients that do not read or are silent for too long, because
 * their unread frames fill the memory. State that must survive the room's sleep is in each socket's attachment and
 * tags; the fields here only repeat it.
 */
import {
  acceptSocket,
  closeSocket,
  hasAll,
  isOpen,
  openSockets,
  POLICY,
  sendTo,
  TRY_AGAIN,
} from "../objects/sockets.ts";
import type { Caller } from "../who.ts";
import type { Left } from "./budgets.ts";
import { Greetings } from "./greetings.ts";
import { addNewest, MAX_SHOWN, MAX_SOCKETS } from "./limits.ts";
import { News } from "./news.ts";
import type { ServerFrame, Subprotocol } from "./protocol.ts";
import { type Amount, heard, newReading, type Reading, seen, sent } from "./readers.ts";
import type { People } from "./relay-protocol.ts";
import { type Owner, Roster } from "./roster.ts";
import { askIfSilent, isBehind } from "./signs.ts";
import { type Written, written } from "./written.ts";

/** An attachment that changes with every frame is written this often at most: well before a room falls asleep. */
const KEEP_EVERY_MS = 5_000;
const KEEP_EVERY: Amount = { messages: 20, bytes: 32 * 1_024 };
/** The room rests for so long before it looks for silent sockets again. If all ping, it looks as often as they ping. */
const REST_MS = 5_000;

/** The tag of sockets that take many messages in one frame. All other tags have a colon. */
const BATCHED = "batched";
/** The tag of sockets that take what has changed instead of who is here. */
const CHANGES = "changes";
const tagOf = (userId: string) => `user:${userId}`;
const tagOfSession = (session: string) => `session:${session}`;
const tagOfAddress = (address: string) => `address:${address}`;
/** The tags of the owners whose sockets are limited. */
const limitedTags = ({ userId, address }: Owner) => [
  tagOf(userId),
  ...(address === undefined ? [] : [tagOfAddress(address)]),
];

/** A user who joins. */
export interface Newcomer {
  readonly userId: string;
  readonly address?: string | undefined;
  readonly session?: string | undefined;
  readonly subprotocol?: Subprotocol | undefined;
  /** Who it is, for the door; missing if they may be in the room whatever its rule. */
  readonly caller?: Caller | undefined;
  readonly known?: true | undefined;
  readonly until?: number | undefined;
}

/** A socket's attachment: under 2 KiB, even with the longest names. */
export interface Member {
  readonly userId: string;
  readonly address?: string;
  readonly caller?: Pick<Caller, "kind" | "id">;
  /** Whether the user is known (no guest, not anonymous): then the room is kept. */
  readonly known?: true;
  /** When the user's token expires (ms since the epoch). */
  readonly until?: number;
  readonly left: Left;
  /** Set anew with each frame, in place: a copy of all of this for each frame and socket would be most of the cost. */
  reading: Reading;
  /** When this attachment was last written (ms since the epoch); `STALE` if it is to be written with the next frame. */
  keptAt: number;
}

/** The part of the budgets that the audience needs. */
export interface Allowance {
  left(userId: string, now: number): Left;
  mayTell(now: number): boolean;
}

/** The people of a room whose sockets are at other objects. */
export interface Elsewhere {
  readonly count: number;
  users(): Iterable<string>;
  has(userId: string): boolean;
  tell(frame: ServerFrame): void;
}
export const NOWHERE: Elsewhere = { count: 0, users: () => [], has: () => false, tell: () => undefined };

export interface AudienceParts {
  elsewhere(): Elsewhere;
  /** Somebody has left, and those who stay see each other: before, it may have been a crowd. */
  leftCompany(): void;
  /** Takes note of a join or a leave in place of telling it. */
  noted?(): void;
}

export class Audience {
  readonly #ctx: DurableObjectState;
  readonly #budgets: Allowance;
  /** The sockets and their attachments, each read once. Undefined until somebody asks after the room woke. */
  #listed: Roster<Member> | undefined;
  /** Users already announced as gone; prevents a second announcement when several sockets of a user close together. */
  readonly #gone = new Set<string>();
  readonly #news: News;
  readonly #greetings: Greetings;
  readonly #parts: AudienceParts;

  constructor(ctx: DurableObjectState, budgets: Allowance, parts: AudienceParts) {
    this.#ctx = ctx;
    this.#budgets = budgets;
    this.#parts = parts;
    this.#news = new News(this, (now) => budgets.mayTell(now));
    this.#greetings = new Greetings(ctx, this);
  }

  get #elsewhere(): Elsewhere {
    return this.#parts.elsewhere();
  }

  get #roster(): Roster<Member> {
    if (this.#listed) return this.#listed;
    const roster = new Roster<Member>();
    for (const socket of this.#ctx.getWebSockets()) {
      const member: Member | null = socket.deserializeAttachment();
      if (!member) continue;
      roster.hold(limitedTags(member));
      if (isOpen(socket)) roster.add(socket, member);
    }
    this.#listed = roster;
    return roster;
  }

  /** Whether a user, or a network address, has as many sockets as allowed. */
  hasAll(whose: { readonly userId: string } | { readonly address: string }, limit: number): boolean {
    const tag = "userId" in whose ? tagOf(whose.userId) : tagOfAddress(whose.address);
    // Our count may be too high, if a socket ended without a word; it is never too low.
    if (this.#roster.held(tag) < limit) return false;
    return hasAll(this.#ctx, tag, limit);
  }

  /** Whether the room has as many sockets as it can. */
  isFull(): boolean {
    return this.#roster.size >= MAX_SOCKETS && this.#present().length >= MAX_SOCKETS;
  }

  isEmpty(): boolean {
    return this.#roster.size === 0 || this.open().length === 0;
  }

  /** Accepts a socket: `keep` it in the same turn, once it is greeted. Returns the client's end and ours, and whether its user was here before. */
  admit(newcomer: Newcomer, now: number): { client: WebSocket; server: WebSocket; wasHere: boolean } {
    const { userId, address, session, subprotocol, caller, known, until } = newcomer;
    // First, because it lists the sockets if the room has just woken: the new one must not be among them.
    const wasHere = this.open(userId).length > 0;
    this.#gone.delete(userId);
    const tags = [
      ...limitedTags({ userId, address }),
      ...(session === undefined ? [] : [tagOfSession(session)]),
      ...(subprotocol === "chat.batched" || subprotocol === "chat.changes" ? [BATCHED] : []),
      ...(subprotocol === "chat.changes" ? [CHANGES] : []),
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
    const ends = acceptSocket(this.#ctx, { tags });
    this.#roster.add(ends.server, member);
    this.#roster.hold(limitedTags(member));
    return { ...ends, wasHere };
  }

  /** The open sockets, of one user or all. */
  open(userId?: string): WebSocket[] {
    const sockets = userId === undefined ? this.#roster.sockets : this.#roster.ofUser(userId);
    return [...sockets].filter(isOpen);
  }

  /** The sockets of a session that are open. */
  ofSession(session: string): WebSocket[] {
    return openSockets(this.#ctx, tagOfSession(session));
  }

  /** The sockets that take many messages in one frame. */
  batched(): ReadonlySet<WebSocket> {
    return new Set(this.#ctx.getWebSockets(BATCHED));
  }

  memberOf(socket: WebSocket): Member | undefined {
    const known = this.#roster.get(socket);
    if (known) return known;
    // It is closing, and what it leaves behind can still be read.
    const member: Member | null = socket.deserializeAttachment();
    return member ?? undefined;
  }

  /** The user's budgets, as each of their sockets has kept them. */
  keptOf(userId: string): Left[] {
    return this.open(userId).flatMap((socket) => this.memberOf(socket)?.left ?? []);
  }

  /** Notes that a frame came from a socket. `since`: what was sent after the message that it says it has seen. */
  heard(socket: WebSocket, now: number, since?: Amount): void {
    const member = this.memberOf(socket);
    if (!member) return;
    this.#note(socket, member, since ? seen(now, since) : heard(member.reading, now), now);
  }

  /** Stores what is known of a socket with it, in case the room falls asleep. */
  keep(socket: WebSocket, now: number): void {
    const member = this.memberOf(socket);
    if (member) this.#write(socket, member, now);
  }

  /** The same, but with the next frame to the socket: its user's budgets have changed, and an answer is on its way. */
  keepWithAnswer(socket: WebSocket): void {
    const member = this.memberOf(socket);
    if (member) member.keptAt = STALE;
  }

  /** How many people are in the room. */
  get count(): number {
    return this.#roster.peopleCount + this.#elsewhere.count;
  }

  /** The people whose sockets are here. */
  own(): People {
    const users: string[] = [];
    for (const userId of this.#roster.people) {
      if (users.push(userId) === MAX_SHOWN) break;
    }
    return { count: this.#roster.peopleCount, users };
  }

  /** The frame that says who is here. */
  presence(): ServerFrame {
    const users = new Set(this.own().users);
    for (const userId of this.#elsewhere.users()) {
      if (users.size >= MAX_SHOWN) break;
      users.add(userId);
    }
    return { type: "presence", users: [...users], ...(this.count > MAX_SHOWN && { count: this.count }) };
  }

  /** Sends a frame to everybody who keeps up. */
  tell(frame: ServerFrame, except?: WebSocket): void {
    this.deliver(
      this.readers().filter((socket) => socket !== except),
      frame,
    );
  }

  /** Sends a frame of the moment to everybody who keeps up, at other objects too. */
  announce(frame: ServerFrame, except?: WebSocket): void {
    this.tell(frame, except);
    this.#elsewhere.tell(frame);
  }

  /** The sockets that keep up. Closes those that are too far behind or whose token has expired. */
  readers(): WebSocket[] {
    return this.#present().filter((socket) => {
      if (this.isOver(socket)) return false;
      const member = this.memberOf(socket);
      if (!member || !isBehind(this.#ctx, socket, member)) return true;
      this.putOut(socket, TRY_AGAIN, "You are too far behind: connect again with ?after=<the last number you have>");
      return false;
    });
  }

  /** Whether the token of a socket has expired. Then the socket is closed. */
  isOver(socket: WebSocket): boolean {
    const until = this.memberOf(socket)?.until;
    if (until === undefined || until > Date.now()) return false;
    this.putOut(socket, POLICY, "Your token has expired: connect again with another");
    return true;
  }

  /** Sends a frame to some sockets. */
  deliver(sockets: readonly WebSocket[], frame: ServerFrame): void {
    this.deliverAll(sockets, [written(frame)], 0);
  }

  /** Sends frames to some sockets, and counts them once for each socket. `messages`: how many messages are in them. */
  deliverAll(sockets: readonly WebSocket[], frames: readonly Written[], messages: number): void {
    const amount = { messages, bytes: frames.reduce((sum, { bytes }) => sum + bytes, 0) };
    const texts = frames.map(({ text }) => text);
    const now = Date.now();
    for (const socket of sockets) {
      if (!sendTo(socket, ...texts)) continue;
      const member = this.memberOf(socket);
      if (member) this.#note(socket, member, sent(member.reading, amount), now);
    }
  }

  /** Sends a frame of the greeting, which is as long as the history: it does not count for how far behind a reader is. */
  greet(socket: WebSocket, frame: ServerFrame): void {
    const { text, bytes } = written(frame);
    const member = this.memberOf(socket);
    if (!member || !sendTo(socket, text)) return;
    member.reading = this.#greetings.sent(member.reading, bytes);
  }

  /** Whose greetings, which may be unread, leave no memory for a joiner's: their own, or those of all. */
  whoClogs(joiner: Owner, now: number): "own" | "all" | undefined {
    return this.#greetings.whoClogs(limitedTags(joiner), now);
  }

  /** Tells those who take changes one thing, and the others another. */
  tellChanges(changes: ServerFrame, others: ServerFrame): void {
    const changing = new Set(this.#ctx.getWebSockets(CHANGES));
    const readers = this.readers();
    this.deliver(
      readers.filter((socket) => changing.has(socket)),
      changes,
    );
    this.deliver(
      readers.filter((socket) => !changing.has(socket)),
      others,
    );
    this.#elsewhere.tell(others);
  }

  /** Tells the others that a user has joined. */
  joined(userId: string, socket: WebSocket, now: number): void {
    this.#moved(userId, "joined", socket, now);
  }

  /** Somebody came or went at another object. */
  movedElsewhere(userId: string, move: "joined" | "left"): void {
    if (this.open(userId).length === 0) this.#news.moved(userId, move, undefined, Date.now());
  }

  /** The room became a crowd, or stopped being one, by those at other objects. */
  turned(): void {
    this.#news.turned();
  }

  /** Closes all sockets. */
  putOutAll(code: number, why: string): void {
    for (const socket of this.open()) this.putOut(socket, code, why);
  }

  /** Closes the sockets of a session that has ended. */
  putOutSession(session: string): void {
    for (const socket of this.ofSession(session)) this.putOut(socket, POLICY, "Your session has ended");
  }

  /** Closes the sockets of all who may no longer be here. */
  putOutUnless(mayStay: (caller: Member["caller"]) => boolean): void {
    for (const socket of this.open()) {
      if (!mayStay(this.memberOf(socket)?.caller)) this.putOut(socket, POLICY, "You may no longer be in this room");
    }
  }

  /** Closes a socket, and tells the others. */
  putOut(socket: WebSocket, code: number, why: string): void {
    closeSocket(socket, code, why);
    this.#leave(socket);
  }

  /** A socket is closed. */
  closed(socket: WebSocket): void {
    const member = this.memberOf(socket);
    if (member) this.#roster.letGo(limitedTags(member));
    this.#leave(socket);
  }

  /** The open sockets. The others have left: when many end at once, the runtime does not report the end of each. */
  #present(): WebSocket[] {
    return [...this.#roster.sockets].filter((socket) => {
      if (isOpen(socket)) return true;
      this.#leave(socket);
      return false;
    });
  }

  /** Tells the others that a user is gone: once, even if several sockets close together, or one closes twice. */
  #leave(socket: WebSocket): void {
    const userId = this.memberOf(socket)?.userId;
    this.#roster.remove(socket);
    // Also if it was no crowd: after the room's sleep, a socket that closes is not counted before it leaves.
    if (this.isCompany()) this.#parts.leftCompany();
    if (userId === undefined || this.#gone.has(userId)) return;
    if (this.open(userId).length > 0) return;
    // No more sockets than this can still report their close.
    addNewest(this.#gone, userId);
    this.#moved(userId, "left", socket, Date.now());
  }

  #moved(userId: string, move: "joined" | "left", socket: WebSocket, now: number): void {
    if (this.#parts.noted) this.#parts.noted();
    else if (!this.#elsewhere.has(userId)) this.#news.moved(userId, move, socket, now);
  }

  /**
   * Pings sockets that were silent for a while, and closes those that do not answer. Returns when to look again (ms since
   * the epoch); undefined if no socket is open here, or nobody would notice: the room has one person only, or a crowd.
   */
  lookForSilent(now: number): number | undefined {
    const present = this.#present();
    if (!this.isCompany()) return undefined;
    let next = Number.POSITIVE_INFINITY;
    for (const socket of present) next = Math.min(next, askIfSilent(this.#ctx, this, socket, now));
    return this.isCompany() && next < Number.POSITIVE_INFINITY ? Math.max(next, now + REST_MS) : undefined;
  }

  /** Whether people here see each other: there is more than one, and no crowd. */
  isCompany(): boolean {
    return this.count > 1 && this.count <= MAX_SHOWN;
  }

  #note(socket: WebSocket, member: Member, reading: Reading, now: number): void {
    const { unseen, heardAt, askedAt, greeted } = member.reading;
    // An answer to a ping is kept at once, because the room may sleep until it looks for it.
    const isLate = Math.abs(now - member.keptAt) >= KEEP_EVERY_MS || askedAt !== reading.askedAt;
    const isDue = isLate && reading.heardAt !== heardAt;
    member.reading = reading;
    const isStale = member.keptAt === STALE || greeted !== reading.greeted || isNextStep(unseen, reading.unseen);
    if (isDue || isStale) this.#write(socket, member, now);
  }

  #write(socket: WebSocket, member: Member, now: number): void {
    const kept = { ...member, left: this.#budgets.left(member.userId, now), keptAt: now };
    this.#roster.update(socket, kept);
    socket.serializeAttachment(kept);
  }
}

const STALE = 0;

const isNextStep = (before: Amount, after: Amount): boolean =>
  stepOf("messages", before) !== stepOf("messages", after) || stepOf("bytes", before) !== stepOf("bytes", after);

const stepOf = (key: keyof Amount, amount: Amount) => Math.floor(amount[key] / KEEP_EVERY[key]);
