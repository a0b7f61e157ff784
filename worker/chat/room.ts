/**
 * A chat room that loses nothing: a message has its number and is on disk before anybody sees it, a client that
 * reconnects gets exactly what it missed, and a message sent twice is shown once. audience.ts keeps track of who is
 * here; saying.ts judges a message, and outgoing.ts takes it to the disk and to the readers; files.ts has what is
 * attached; upkeep.ts deletes what is not needed any more.
 *
 * The room sleeps between frames. All that it needs when it wakes is in SQL and in the sockets' attachments and tags;
 * the fields here only repeat it.
 */

import { DurableObject } from "cloudflare:workers";
import type { Settings } from "../../contract/settings.ts";
import { deadCredential, denied } from "../http/denials.ts";
import { notThere } from "../http/joining.ts";
import { problemResponse } from "../http/problem.ts";
import { blobsOf } from "../objects/blobs.ts";
import { regionOfObject } from "../objects/names.ts";
import { ABNORMAL, answerAsleep, answerClose, GOING_AWAY } from "../objects/sockets.ts";
import { DAY_MS } from "../objects/units.ts";
import { Wake } from "../objects/wake.ts";
import { stackOf } from "../stack.ts";
import type { Caller } from "../who.ts";
import { letIn, type SocketLimits, TOO_OFTEN, whyFull } from "./admission.ts";
import { Audience } from "./audience.ts";
import { Book } from "./book.ts";
import { Budgets, COSTS } from "./budgets.ts";
import { type Door, invited, removed } from "./door.ts";
import { type FileAnswer, Files } from "./files.ts";
import type { Page, Range } from "./history.ts";
import { type Desk, Incoming } from "./incoming.ts";
import { readJoinRequest, sendToRelay } from "./joining.ts";
import { KeptDoor } from "./kept-door.ts";
import { addNewest, MAX_SHOWN, MAX_SOCKETS } from "./limits.ts";
import { Outgoing, type Store } from "./outgoing.ts";
import { chat } from "./pattern.ts";
import { type ChatFrame, PING, PONG, type ServerFrame } from "./protocol.ts";
import { ASK_AFTER_MS } from "./readers.ts";
import { Relay, type RelayLimits } from "./relay.ts";
import { homeOf, relayNamed, relayNames } from "./relay-places.ts";
import { LOOK_EVERY_MS, type Push, type RelayState, type Talker } from "./relay-protocol.ts";
import { type Home, Relays } from "./relays.ts";
import { Saying } from "./saying.ts";
import { SWEEP_INTERVAL_MS, Upkeep } from "./upkeep.ts";
import type { Upload } from "./uploads.ts";

export class ChatRoomDO extends DurableObject<Env> {
  readonly #wake: Wake;
  readonly #book: Book;
  readonly #door: KeptDoor;
  readonly #upkeep: Upkeep;
  readonly #socketLimits: SocketLimits;
  readonly #budgets: Budgets;
  readonly #audience: Audience;
  readonly #relays: Relays;
  readonly #incoming: Incoming;
  readonly #outgoing: Outgoing;
  readonly #saying: Saying;
  readonly #files: Files;
  /** If this object is a relay, it does nothing but that. */
  readonly #relay: Relay | undefined;
  /** Sessions that ended a moment ago: a join by one of them that is still on its way is refused. */
  readonly #ended = new Set<string>();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const { storage } = ctx;
    const { settings, regions } = stackOf(env);
    const limits = limitsOf(settings.chat);
    const { historyLimit: limit, retentionMs } = limits;
    this.#wake = new Wake(storage, chat.name);
    this.#book = new Book(storage, { limit, retentionMs });
    this.#door = new KeptDoor(storage.kv, { rule: settings.chat.rooms, members: [] });
    const unusedMs = settings.anonymousDays * DAY_MS;
    const bucket = () => blobsOf(env, regionOfObject(regions, ctx.id.name ?? "") ?? {});
    const keeping = { storage, wake: this.#wake, book: this.#book, unusedMs, bucket };
    this.#upkeep = new Upkeep(keeping, this.#door.wasSet);
    this.#socketLimits = limits;
    this.#budgets = new Budgets(limits.messagesPerSecond, (userId) => this.#audience.keptOf(userId));
    this.#relays = new Relays(this.#home());
    this.#audience = new Audience(ctx, this.#budgets, {
      elsewhere: () => this.#relays,
      leftCompany: () => void this.#lookForSilentLater(),
    });
    this.#outgoing = new Outgoing(this.#store(), this.#audience, (trimmed) => {
      void this.#relays.send();
      return this.#upkeep.stored(trimmed);
    });
    this.#saying = new Saying(this.#outgoing, this.#budgets, this.#upkeep);
    this.#files = new Files({
      book: this.#book,
      door: this.#door,
      upkeep: this.#upkeep,
      audience: this.#audience,
      relays: this.#relays,
      maxMiB: settings.chat.attachmentsMiB,
    });
    this.#incoming = new Incoming(this.#audience, this.#budgets, this.#desk());
    const home = homeOf(env, ctx.id.name ?? "");
    this.#relay = home && new Relay(ctx, this.#wake, limits, home);
    answerAsleep(ctx, PING, PONG);
  }

  /** What the relays need of the room. */
  #home(): Home {
    return {
      storage: this.ctx.storage,
      stub: (name) => relayNamed(this.env, name),
      history: () => this.#book.history(),
      people: () => this.#audience.own(),
      moved: (userId, move) => {
        this.#audience.movedElsewhere(userId, move);
        void this.#lookForSilentLater();
      },
      turned: () => {
        this.#audience.turned();
        void this.#lookForSilentLater();
      },
      arm: (at) => this.#wake.arm(at),
    };
  }

  /** Where messages are stored. */
  #store(): Store {
    const { storage } = this.ctx;
    return {
      book: this.#book,
      prepare: () => this.#relays.prepare(),
      sync: () => storage.sync(),
      transaction: (write) => storage.transactionSync(write),
    };
  }

  /** What happens to frames that are fine. */
  #desk(): Desk {
    return {
      after: (seq) => this.#outgoing.after(seq),
      chat: (socket, member, frame) =>
        this.#saying.say(member, frame, {
          answer: (answer) => this.#audience.deliver([socket], answer),
          offends: () => this.#incoming.bears(socket, member, COSTS.offence),
          taken: () => this.#audience.keepWithAnswer(socket),
        }),
      typed: (socket, userId) => this.#typed(userId, socket),
    };
  }

  /** Lets a caller in. The Worker has checked who it is (`joinRequest`). */
  override async fetch(request: Request): Promise<Response> {
    if (this.#relay) return this.#relay.fetch(request);
    const joining = readJoinRequest(request);
    const { userId, session, undecided: caller } = joining;
    if (joining.ifThere && this.#isNowhere) return notThere();
    if (session !== undefined && this.#ended.has(session)) {
      return problemResponse(deadCredential("The session").problem);
    }
    if (caller && !this.#door.lets(caller)) return problemResponse(denied(caller).problem);
    const now = Date.now();
    const names = this.#audience.isFull() ? relayNames(this.env, this.ctx.id.name ?? "") : [];
    // First the budget: a place that is given counts until the relay says how many it has.
    if (names.length > 0 && !this.#budgets.bear(userId, COSTS.join, now)) return problemResponse(TOO_OFTEN);
    const relay = this.#relays.place(names);
    if (relay !== undefined) {
      return sendToRelay(Number(relay.split(":").at(-1)), this.#relays.turn);
    }
    const [audience, budgets, limits] = [this.#audience, this.#budgets, this.#socketLimits];
    const full = `The room is full: ${MAX_SOCKETS} are in it; try again later`;
    const why = whyFull(joining, { audience, budgets, limits, full }, now);
    if (why) return problemResponse(why);
    const kept = {
      read: (range: Range) => this.#book.page(range),
      deleted: (last: number) => this.#book.history()?.deleted(last) ?? [],
    };
    const { answer, server, wasHere } = letIn(joining, { audience, kept }, now);
    if (!wasHere) this.#audience.joined(userId, server, now);
    await this.#lookForSilentLater();
    await this.#upkeep.joined();
    return answer;
  }

  /** Sets the alarm that looks for silent sockets, if anybody would notice them. */
  async #lookForSilentLater(): Promise<void> {
    if (this.#audience.isCompany()) await this.#wake.arm(Date.now() + ASK_AFTER_MS);
  }

  /** Whether the room does not exist: nothing of it is stored, and nobody is in it. */
  get #isNowhere(): boolean {
    return !this.#isStored && !this.#isInUse;
  }

  get #isStored(): boolean {
    return !this.#book.schema.empty || this.#upkeep.isKept;
  }

  /** Whether somebody is in the room. */
  get #isInUse(): boolean {
    return !this.#audience.isEmpty() || !this.#relays.isEmpty;
  }

  /** A page of the history for `reader`. An undefined reader was already allowed elsewhere. */
  messages(range: Range, reader?: Caller): Page | "denied" {
    return this.#door.lets(reader) ? this.#book.page(range) : "denied";
  }

  /** The room's door, for those who may change it. */
  door(keeper?: Caller): Door | "denied" {
    return this.#door.isKeptBy(keeper) ? this.#door.now : "denied";
  }

  /** Sets the rule, and the owner if one is given. */
  setDoor({ rule, owner }: Pick<Door, "rule" | "owner">, keeper?: Caller): Promise<Door | "denied"> {
    return this.#changeDoor<never>(keeper, (door) => ({ ...door, rule, ...(owner !== undefined && { owner }) }));
  }

  /** Makes a user a member; "full" if there are too many. */
  invite(userId: string, keeper?: Caller): Promise<Door | "denied" | "full"> {
    return this.#changeDoor<"full">(keeper, (door) => invited(door, userId));
  }

  /** Removes a user from the members. */
  remove(userId: string, keeper?: Caller): Promise<Door | "denied"> {
    return this.#changeDoor<never>(keeper, (door) => removed(door, userId));
  }

  /**
   * Changes the door, and closes the sockets of users who may no longer be here. `change` gets the door as it is when
   * nothing is awaited any more; it may leave it as it is, or refuse.
   */
  async #changeDoor<Why extends string>(
    keeper: Caller | undefined,
    change: (door: Door) => Door | Why,
  ): Promise<Door | "denied" | Why> {
    await this.#relays.prepare();
    if (!this.#door.isKeptBy(keeper)) return "denied";
    const door = change(this.#door.now);
    if (typeof door === "string" || door === this.#door.now) return door;
    this.#door.set(door);
    this.#upkeep.doorIsSet();
    this.#audience.putOutUnless((caller) => this.#door.lets(caller));
    this.#relays.order({ kind: "door", door });
    await this.#relays.send();
    return door;
  }

  /** Deletes the text and the file of a message. */
  async deleteMessage(seq: number, keeper?: Caller): Promise<"deleted" | "missing" | "denied"> {
    if (!this.#door.isKeptBy(keeper)) return "denied";
    await this.#relays.prepare();
    for (let shown = this.#outgoing.shown(seq); shown; shown = this.#outgoing.shown(seq)) {
      await shown;
      await this.#relays.prepare();
    }
    const blanked = this.ctx.storage.transactionSync(() => {
      const found = this.#book.history()?.blank(seq);
      if (found?.leaving) this.#book.uploads.leave(found.leaving.key);
      if (found) this.#relays.order({ kind: "deleted", seq });
      return found;
    });
    if (!blanked) return "missing";
    this.#audience.tell({ type: "deleted", seq });
    await this.#relays.send();
    if (blanked.leaving) await this.#wake.arm(Date.now());
    return "deleted";
  }

  /**
   * Deletes the room with its door, messages and files, and closes its sockets. @throws if a relay cannot be reached;
   * then the alarm tries again
   */
  async destroy(): Promise<void> {
    this.#relays.close();
    this.#audience.putOutAll(GOING_AWAY, "The room was deleted");
    await this.#empty();
    await this.#relays.end();
    await this.#leaveNothing();
  }

  /**
   * Deletes what is left of a room that does not exist: the alarm, and what was needed to end its relays. `isQuiet`: those
   * who are in it need no alarm. Even an empty database is stored, and billed, and nobody would delete it when they leave.
   */
  async #leaveNothing(isQuiet = false): Promise<void> {
    if (this.#isStored || !this.#relays.isEmpty || this.#relays.isEnding) return;
    if (!isQuiet && !this.#audience.isEmpty()) return;
    await this.#wake.wipe();
  }

  /** Deletes all but the files. The alarm deletes those, and then the rest. */
  async #empty(): Promise<void> {
    this.ctx.storage.transactionSync(() => {
      for (const part of this.#stored) part.clear();
    });
    this.#outgoing.forget();
    for (const part of this.#stored) part.forget();
    if (!this.#book.schema.empty) await this.#wake.arm(Date.now());
    else await this.#leaveNothing();
  }

  /** What the room has stored. */
  get #stored() {
    return [this.#door, this.#upkeep, this.#book];
  }

  /** A session has ended: closes its sockets, and refuses a join by it that is still on its way. */
  async sessionEnded(session: string): Promise<void> {
    await this.#relays.prepare();
    addNewest(this.#ended, session);
    this.#audience.putOutSession(session);
    this.#relays.order({ kind: "ended", session });
    await this.#relays.send();
  }

  /** Whether a session has a socket here. */
  async holdsSession(session: string): Promise<boolean> {
    if (this.#relay) return this.#relay.holdsSession(session);
    if (this.#audience.ofSession(session).length > 0) return true;
    return this.#relays.some((relay) => relay.holdsSession(session));
  }

  /** For a relay that starts: all that it must know. Undefined if the room does not exist, and must not be made. */
  async attach(relay: string, ifThere: boolean): Promise<Push | undefined> {
    if (ifThere && this.#isNowhere) return undefined;
    await this.#wake.arm(Date.now() + LOOK_EVERY_MS);
    return this.#relays.attach(relay, { door: this.#door.now, ended: [...this.#ended] });
  }

  /**
   * For a relay: stores what somebody writes there. Returns the `ack` or the `error` for them; undefined if the relay's
   * room was deleted.
   */
  async say(talker: Talker, frame: ChatFrame, link?: string): Promise<ServerFrame | undefined> {
    if (!this.#relays.knows(link)) return undefined;
    return new Promise((resolve, reject) => {
      // The relay counts what is an offence.
      const said = this.#saying.say(talker, frame, { answer: resolve, offends: () => true, taken: () => undefined });
      said.catch(reject);
    });
  }

  /** For a relay: passes on that somebody types there. */
  typed(userId: string, link?: string): void {
    if (this.#relays.knows(link)) this.#typed(userId);
  }

  #typed(userId: string, socket?: WebSocket): void {
    if (this.#audience.count > MAX_SHOWN || !this.#budgets.mayType(userId, Date.now())) return;
    this.#audience.announce({ type: "typing", userId }, socket);
  }

  /** For a relay: who is there. False if the relay's room was deleted. */
  relaySaid(relay: string, state: RelayState, epoch: string | undefined): boolean {
    return this.#relays.said(relay, state, epoch);
  }

  /** For the home of a relay: see relay.ts. */
  async take(push: Push): Promise<RelayState> {
    if (!this.#relay) throw new Error(`${this.ctx.id.name} is no relay`);
    return this.#relay.take(push);
  }

  endRelay(current?: string): string | undefined {
    return this.#relay?.close(current);
  }

  hasUser(userId: string): boolean {
    return this.#relay?.hasUser(userId) ?? false;
  }

  /** Announces a file that is about to be stored in R2. */
  reserve(upload: Upload, uploader?: Caller): Promise<"reserved" | "too-many" | "room-full" | "denied"> {
    return this.#files.reserve(upload, uploader);
  }

  /** The file will not come: frees its place, and deletes what arrived of it. */
  abandon(key: string): Promise<void> {
    return this.#files.abandon(key);
  }

  /** Notes that the file is in R2. False if it came too late. */
  stored(key: string): boolean {
    return this.#files.stored(key);
  }

  /** The file, for a user who is in the room, has a message in its history, or uploaded the file; or who is trusted. */
  attachment(key: string, userId: string, reader?: Caller, isTrusted = false): Promise<FileAnswer> {
    return this.#files.read(key, userId, reader, isTrusted);
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    await (this.#relay ?? this.#incoming).message(socket, data);
  }

  override webSocketClose(socket: WebSocket, code: number, reason: string): void {
    answerClose(socket, code, reason);
    (this.#relay ?? this.#audience).closed(socket);
  }

  override webSocketError(socket: WebSocket): void {
    answerClose(socket, ABNORMAL);
    (this.#relay ?? this.#audience).closed(socket);
  }

  /**
   * Looks for silent sockets, and deletes old messages and files that nobody needs. It may run early, late or twice,
   * and tries again until it succeeds.
   */
  override alarm(): Promise<void> {
    return this.#wake.run(() => (this.#relay ? this.#relay.alarm() : this.#doChores()));
  }

  async #doChores(): Promise<void> {
    await this.#relays.look();
    const now = Date.now();
    const lookAgain = this.#audience.lookForSilent(now);
    if (lookAgain !== undefined) await this.#wake.arm(lookAgain);
    if (this.#book.schema.empty) return this.#leaveNothing(lookAgain === undefined);
    // Files that R2 does not delete keep the room a while: to end it at once would set the alarm to now, again and again.
    if (await this.#upkeep.sweep(now, lookAgain !== undefined)) await this.#end(now);
  }

  /** Deletes a room that only unknown callers have used, after a long time without use. */
  async #end(now: number): Promise<void> {
    const goes = this.#upkeep.goesAt();
    if (goes === undefined) return;
    if (goes > now || this.#isInUse || this.#relays.isEnding) {
      return this.#wake.arm(Math.max(goes, now + SWEEP_INTERVAL_MS));
    }
    if (this.#book.uploads.isEmpty) this.#book.schema.forget();
    await this.#empty();
  }
}

/** The limits of a room, and of a relay, by the stack's settings. */
const limitsOf = ({ retentionDays, ...settings }: Settings["chat"]): RelayLimits => ({
  ...settings,
  retentionMs: retentionDays === undefined ? undefined : retentionDays * DAY_MS,
});
