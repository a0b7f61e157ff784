/**
 * A document at work: who is there, what they send, and what they get. An edit is on disk before anybody else sees it;
 * a client that was cut off says what it has, and gets the rest. This file and all that it imports, Yjs among it, is
 * loaded at the first use of a document: a Worker that has none at work does not pay for it.
 */
import { deadCredential, denied } from "../http/denials.ts";
import { notThere } from "../http/joining.ts";
import { type Problem, problemResponse } from "../http/problem.ts";
import { Paced } from "../objects/paced.ts";
import type { Schema } from "../objects/schema.ts";
import { answerClose, closeSocket, isOpen, POLICY, switchPlainly, TRY_AGAIN } from "../objects/sockets.ts";
import { MEBIBYTE } from "../objects/units.ts";
import type { Wake } from "../objects/wake.ts";
import { type Author, authorOf } from "./author.ts";
import { Budgets } from "./budgets.ts";
import { jsonOf, plainOf, TooDeep } from "./content.ts";
import { isEmpty, isWhole } from "./copy.ts";
import { type Joining, readJoinRequest, type Visitor } from "./joining.ts";
import type { Keeping } from "./keeping.ts";
import { Presence } from "./presence.ts";
import { staysWithin } from "./scope.ts";
import { ASK_AFTER_MS, ASK_BYTES, FORBIDDEN, GONE, MAX_UNREAD_BYTES, type Seat, Seats } from "./seats.ts";
import { COMMENTS, type Level, levelOf, reaches } from "./sharing.ts";
import * as wire from "./wire.ts";
import { type Outcome, Writer } from "./writer.ts";

/** Close code (RFC 6455, 7.4.1): "message too big". */
const TOO_BIG = 1_009;
/** What people show of themselves is passed on so often at most. */
const SHOW_EVERY_MS = 50;
/**
 * A client's state vector has an entry of up to 16 bytes for each client of its document: those of ours, and those whose
 * edits only it has, which may be so many if the document comes from elsewhere.
 */
const ENTRY_BYTES = 16;
const MORE_CLIENTS = 10_000;

const TOO_SLOW = "You read too slowly: connect again";
const BUSY = "You or others have too much of the document to read yet: try again in a while";
const READ_ONLY = "You may only read this document: your edits are not taken";
const COMMENTS_ONLY = "You may only comment in this document: your other edits are not taken";
const UNTRIED = "Too many edits came at once: connect again, and nothing is lost";
const TANGLED = "Your edits conflict with too many others. Load the document anew";
const FULL = "The document is full: delete something first. Your edits are not taken";

export interface Limits {
  readonly maxMiB: number;
  readonly sockets: number;
  readonly socketsPerUser: number;
  readonly socketsPerAddress: number;
  readonly kibPer10Seconds: number;
}

interface Parts {
  readonly ctx: DurableObjectState;
  readonly schema: Schema;
  readonly limits: Limits;
  readonly keeping: Keeping;
  readonly wake: Wake;
}

/** Forms in which a document is read. `since`: the state vector of a reader who has a part of it. */
export type Form = { readonly as: "json" } | { readonly as: "text"; readonly name?: string } | BinaryForm;
interface BinaryForm {
  readonly as: "state";
  readonly since?: Uint8Array;
}

export class Editor {
  readonly #parts: Parts;
  readonly #seats: Seats;
  readonly #presence: Presence;
  readonly #budgets: Budgets;
  readonly writer: Writer;
  /** States that are passed on with the next frame, by client. */
  readonly #shown = new Map<number, wire.ClientState>();
  readonly #shows = new Paced(SHOW_EVERY_MS, () => this.#passNow());

  constructor(parts: Parts) {
    const { ctx, schema, limits, keeping, wake } = parts;
    this.#parts = parts;
    this.#seats = new Seats(ctx);
    this.#presence = new Presence(this.#seats);
    this.#budgets = new Budgets(limits.kibPer10Seconds);
    this.writer = new Writer({
      ctx,
      schema,
      maxBytes: limits.maxMiB * MEBIBYTE,
      prepare: () => wake.look(),
      writing: (authors, first) => keeping.writing(authors, first),
      told: (news) => {
        this.#deliver(wire.update(news));
        keeping.wrote(this.writer.isLoose);
      },
    });
  }

  get isInUse(): boolean {
    return this.#seats.open.length > 0;
  }

  /** Lets a caller in. The Worker has checked who it is (`joinRequest`). */
  join(request: Request): Response {
    const { limits, keeping, wake } = this.#parts;
    const joining = readJoinRequest(request);
    const refused = this.#whyNot(joining);
    if (refused) return problemResponse(refused);
    if (joining.ifThere && keeping.isNowhere && !this.isInUse) return notThere();
    const now = Date.now();
    const full = this.#seats.whyFull(joining, limits);
    if (full) return problemResponse({ kind: "rate-limited", detail: full, headers: { "Retry-After": "10" } });
    if (!this.#makeRoom(this.writer.bytes, joining.caller.id, now)) {
      return problemResponse({ kind: "unavailable", detail: BUSY, headers: { "Retry-After": "10" } });
    }
    const { client, server, seat } = this.#seats.admit(joining, now);
    if (this.#mayEdit(seat)) this.#ask(server, seat, now);
    const here = this.#presence.all();
    if (here.length > 0) this.#send(server, seat, wire.awareness(here));
    void wake.arm(now + ASK_AFTER_MS);
    return switchPlainly(client, joining.subprotocol);
  }

  #whyNot(joining: Joining): Problem | undefined {
    const { keeping } = this.#parts;
    if (joining.session !== undefined && keeping.hasEnded(joining.session))
      return deadCredential("The session").problem;
    if (!this.may(joining, "read")) return denied(joining.caller).problem;
    if (!keeping.isDeleted) return undefined;
    return { kind: "not-found", detail: "The document was deleted a while ago; its clients cannot bring it back" };
  }

  /** Whether somebody may do so much with the document. */
  may(visitor: Visitor, level: Level): boolean {
    return reaches(levelOf(visitor.caller, visitor.rulings, this.#parts.keeping.sharing), level);
  }

  /** Merges an update, if its author may make its edits by the time all before it are merged. */
  async commit(visitor: Visitor, update: Uint8Array, by: Author): Promise<Outcome> {
    if (this.may(visitor, "write")) return this.writer.commit({ update, by });
    if (!this.may(visitor, "comment")) return "denied";
    // Nobody owns what begins with a comment.
    return this.writer.commit({ update, by: { known: by.known }, admitted: () => this.#admits(visitor, update) });
  }

  /** Whether somebody may make the edits of an update. */
  #admits(visitor: Visitor, update: Uint8Array): boolean {
    if (this.may(visitor, "write")) return true;
    if (!this.may(visitor, "comment") || !isWhole(update)) return false;
    const isOfAnother = this.#presence.othersThan(visitor.caller.id, this.#mayEdit);
    return staysWithin(COMMENTS, this.writer.copy.doc, update, isOfAnother);
  }

  #mayEdit = (seat: Seat) => this.may(seat, "comment");

  async message(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    const seat = this.#seats.all.get(socket);
    // Frames that were on their way when the socket was closed are ignored.
    if (!seat || !isOpen(socket)) return;
    const now = Date.now();
    if (this.#isOver(socket, seat, now)) return;
    const bytes = typeof data === "string" ? data.length : data.byteLength;
    if (bytes > this.#parts.limits.maxMiB * MEBIBYTE) {
      return this.#close(socket, TOO_BIG, `A frame may have at most ${this.#parts.limits.maxMiB} MiB`);
    }
    if (!this.#budgets.spend(seat.userId, bytes, now)) {
      return this.#close(socket, TRY_AGAIN, "You send too much: connect again in a while, and nothing is lost");
    }
    const frame = wire.readFrame(data);
    if ("code" in frame) return this.#close(socket, frame.code, frame.reason);
    this.#seats.heard(socket, seat, now, frame.type === "update" && frame.answer);
    if (frame.type === "step1") return this.#answer(socket, seat, frame.vector, now);
    if (frame.type === "update") return this.#take(socket, seat, frame);
    if (frame.type === "awareness") this.#show(socket, seat, frame.states, now);
    else this.#send(socket, seat, wire.awareness(this.#presence.all()));
  }

  closed(socket: WebSocket, code: number, reason = ""): void {
    answerClose(socket, code, reason);
    this.#left(socket);
  }

  /** The document's state, once all of it is durable. */
  async state(): Promise<Uint8Array> {
    const state = this.writer.copy.state();
    await this.writer.settled();
    return state;
  }

  /** Reads the document, once all that is read is durable. Or says why that cannot be. */
  async read(form: Form): Promise<{ body: string | Uint8Array } | "malformed" | "too-deep"> {
    // Loaded first: a document that cannot be is no fault of the reader's.
    const { copy } = this.writer;
    const { doc } = copy;
    let body: string | Uint8Array;
    try {
      if (form.as === "json") body = jsonOf(doc);
      else body = form.as === "text" ? plainOf(doc, form.name) : form.since ? copy.since(form.since) : copy.state();
    } catch (error) {
      if (error instanceof TooDeep) return "too-deep";
      if (form.as === "state" && form.since) return "malformed";
      throw error;
    }
    await this.writer.settled();
    return { body };
  }

  /** Closes the sockets of those who may no longer read. */
  putOut(): void {
    for (const [socket, seat] of this.#seats.open) {
      if (!this.may(seat, "read")) this.#close(socket, FORBIDDEN, "You may no longer read this document");
    }
  }

  closeAll(): void {
    for (const [socket] of this.#seats.open) this.#close(socket, GONE, "The document was deleted");
  }

  sessionEnded(session: string): void {
    for (const socket of this.#seats.ofSession(session)) this.#close(socket, FORBIDDEN, "Your session has ended");
  }

  holdsSession(session: string): boolean {
    return this.#seats.ofSession(session).length > 0;
  }

  /** Asks silent clients for a sign, and closes those that gave none. Returns when to look again. */
  lookForSilent(now: number): number | undefined {
    const { ask, lost, next } = this.#seats.silent(now);
    for (const [socket, seat] of ask) this.#ask(socket, seat, now);
    for (const socket of lost) this.#close(socket, TRY_AGAIN, "You were silent for too long: connect again");
    return next;
  }

  /** Answers a client that says what it has. */
  async #answer(socket: WebSocket, seat: Seat, vector: Uint8Array, now: number): Promise<void> {
    // Each answer may be as large as the document: so no more before those before were read.
    if (seat.asked && seat.unread > 2 * MAX_UNREAD_BYTES) return this.#close(socket, TRY_AGAIN, TOO_SLOW);
    if (vector.byteLength > ENTRY_BYTES * (this.writer.copy.doc.store.clients.size + MORE_CLIENTS))
      return this.#close(socket, POLICY, "Your document has too many clients");
    let rest: Uint8Array;
    let isAhead: boolean;
    try {
      rest = this.writer.copy.since(vector);
      isAhead = this.writer.copy.lacks(vector);
    } catch {
      return this.#close(socket, wire.MALFORMED.code, wire.MALFORMED.reason);
    }
    if (!this.#makeRoom(rest.byteLength, seat.userId, now)) return this.#close(socket, TRY_AGAIN, BUSY);
    // Counted at once: the next question may come before this answer is sent.
    seat.unread += rest.byteLength;
    await this.writer.settled();
    this.#sendNow(socket, wire.step2(rest));
    const isLong = rest.byteLength > ASK_BYTES || (seat.unread > ASK_BYTES && !seat.asked);
    if (isLong || (isAhead && !seat.asked && this.#mayEdit(seat))) this.#ask(socket, seat, now);
  }

  /** Whether so many more bytes may wait for a user. If they may not, those who were asked long ago are closed first. */
  #makeRoom(bytes: number, userId: string, now: number): boolean {
    if (this.#seats.hasRoom(bytes, userId)) return true;
    for (const socket of this.#seats.slow(now)) this.#close(socket, TRY_AGAIN, TOO_SLOW);
    return this.#seats.hasRoom(bytes, userId);
  }

  async #take(socket: WebSocket, seat: Seat, { update, answer }: wire.Frame & { type: "update" }): Promise<void> {
    const outcome = await this.commit(seat, update, authorOf(seat.caller, seat.known === true));
    if (outcome === "denied") {
      // A reader answers our step 1, as every client does. It is told only if it has edits.
      const why = this.#mayEdit(seat) ? COMMENTS_ONLY : READ_ONLY;
      if (!isNothing(update, answer)) this.#send(socket, seat, wire.denial(why));
      return;
    }
    if (outcome === "malformed") this.#close(socket, wire.MALFORMED.code, "The update is malformed");
    if (outcome === "untried") this.#close(socket, TRY_AGAIN, UNTRIED);
    if (outcome === "tangled") this.#close(socket, POLICY, TANGLED);
    if (outcome === "full") this.#send(socket, seat, wire.denial(FULL));
    // Its client may have edits that it has not sent yet. Those that nobody has are never taken.
    if (outcome === "incomplete" && answer) {
      this.#close(socket, POLICY, "Your edits build on edits that are missing");
      return;
    }
    if (outcome === "incomplete") seat.lacking = true;
    if (seat.lacking && !seat.asked) this.#ask(socket, seat, Date.now());
  }

  #show(socket: WebSocket, seat: Seat, states: readonly wire.ClientState[], now: number): void {
    const shown = this.#presence.take(socket, seat, states, now);
    if (typeof shown === "string") {
      this.#close(socket, POLICY, shown);
      return;
    }
    if (shown.stale.length > 0) this.#send(socket, seat, wire.awareness(shown.stale));
    if (shown.changed.length === 0) return;
    this.#seats.keep(socket, seat);
    this.#pass(shown.changed);
  }

  /** Passes states on, to their senders too: y-websocket takes the silence of half a minute for a dead connection. */
  #pass(states: readonly wire.ClientState[]): void {
    for (const state of states) this.#shown.set(state.client, state);
    if (this.#shown.size > 0) this.#shows.soon();
  }

  #passNow(): void {
    const states = [...this.#shown.values()];
    this.#shown.clear();
    this.#deliver(wire.awareness(states));
  }

  #deliver(frame: Uint8Array): void {
    const now = Date.now();
    const { byteLength } = frame;
    for (const [socket, seat] of this.#seats.open) {
      if (!isOpen(socket) || this.#isOver(socket, seat, now)) continue;
      // How much of small frames may wait is limited for each client.
      if (byteLength <= ASK_BYTES || this.#makeRoom(byteLength, seat.userId, now)) this.#send(socket, seat, frame);
      else this.#close(socket, TRY_AGAIN, BUSY);
    }
  }

  /** Whether a caller's token has expired. Then the socket is closed. */
  #isOver(socket: WebSocket, { until }: Seat, now: number): boolean {
    if (until === undefined || until > now) return false;
    this.#close(socket, FORBIDDEN, "Your token has expired: connect again with another");
    return true;
  }

  /** Sends to a client that keeps up. */
  #send(socket: WebSocket, seat: Seat, frame: Uint8Array): void {
    const state = this.#seats.count(socket, seat, frame.byteLength);
    if (state === "behind") {
      this.#close(socket, TRY_AGAIN, "You are too far behind: connect again");
      return;
    }
    this.#sendNow(socket, frame);
    if (state === "ask") this.#ask(socket, seat, Date.now());
  }

  /** Asks a client for what the document lacks. Its answer shows that it has read all before this. */
  #ask(socket: WebSocket, seat: Seat, now: number): void {
    seat.lacking = undefined;
    this.#seats.ask(socket, seat, now);
    this.#sendNow(socket, wire.step1(this.writer.copy.vector()));
  }

  #sendNow(socket: WebSocket, frame: Uint8Array): void {
    try {
      if (isOpen(socket)) socket.send(frame);
    } catch {
      // It has closed; its close event reports that.
    }
  }

  #close(socket: WebSocket, code: number, reason: string): void {
    closeSocket(socket, code, reason);
    this.#left(socket);
  }

  /** What a socket showed goes with it: once, whether it is closed here or by its client. */
  #left(socket: WebSocket): void {
    const seat = this.#seats.leave(socket);
    if (seat) this.#pass(this.#presence.leave(seat, Date.now()));
  }
}

/** Whether an update of a reader has no edit in it. */
function isNothing(update: Uint8Array, answer: boolean): boolean {
  // An answer always says which edits were deleted, so only new ones count.
  return isEmpty(update) || (answer && update[0] === 0);
}
