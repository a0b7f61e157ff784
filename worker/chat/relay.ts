/**
 * A relay: an object of the room's class that carries readers of another object's room (relay-protocol.ts). What its
 * readers write goes to the home, and what the home sends goes to its readers, each message once and in order.
 *
 * The number of the last message that it showed is stored with the turn that shows it, and so is who is here, as its
 * readers were told. All else can be lost: it asks the home for the door and the messages when somebody joins and it
 * does not have them.
 */
import { deadCredential, denied } from "../http/denials.ts";
import { notThere } from "../http/joining.ts";
import { problemResponse } from "../http/problem.ts";
import { retry } from "../objects/retry.ts";
import { GOING_AWAY, TRY_AGAIN } from "../objects/sockets.ts";
import type { Wake } from "../objects/wake.ts";
import { letIn, type SocketLimits, whyFull } from "./admission.ts";
import { errorOf, NOT_STORED } from "./answers.ts";
import { Audience, type Elsewhere, type Member, NOWHERE } from "./audience.ts";
import { Budgets, COSTS } from "./budgets.ts";
import { Copy, type CopyLimits } from "./copy.ts";
import { type Door, isLetIn } from "./door.ts";
import type { Page, Range } from "./history.ts";
import { Incoming } from "./incoming.ts";
import { type Joining, readJoinRequest } from "./joining.ts";
import { addNewest, MAX_SHOWN, MAX_SOCKETS } from "./limits.ts";
import type { ChatFrame, Message, ServerFrame } from "./protocol.ts";
import { ASK_AFTER_MS } from "./readers.ts";
import { isSameLink, LOOK_EVERY_MS, type Order, type Push, type RelayState, type Talker } from "./relay-protocol.ts";
import { Showing } from "./showing.ts";
import { differing, isSameTold, type Told, takeTold, toldAfter } from "./told.ts";

/** Joins and leaves are told to the home together. */
const REPORT_AFTER_MS = 250;
/** Without word from the home for so long, a relay asks it before it lets somebody in by the door that it knows. */
const FRESH_MS = 60_000;
/**
 * For so long after somebody came with a number that not even the home has, no number makes the relay ask the home.
 * Only for those whom the home sent does it ask: they have paid the home for that.
 */
const UNREACHED_MS = 5_000;
/** Readers who were told something else than who is here hear it after so long, if the home does not tell them. */
const CORRECT_AFTER_MS = 2_000;
const KEY = "relay";

/** What is stored. */
interface Numbers {
  readonly epoch: string;
  readonly link?: string | undefined;
  /** The last message that was shown, and the last order that was carried out. */
  readonly have: number;
  readonly turn: number;
  /** How many are in the room besides its readers: whether they are company or a crowd counts after sleep too. */
  readonly others?: number;
  /** Who is here, as the readers were told: changes with joins and leaves, and not in a crowd. */
  readonly told?: Told;
}

/** The home, as a relay calls it. */
export interface HomeStub {
  attach(relay: string, ifThere: boolean): Promise<Push | undefined>;
  /** Undefined if the home does not know the link: the room was deleted. */
  say(talker: Talker, frame: ChatFrame, link: string | undefined): Promise<ServerFrame | undefined>;
  typed(userId: string, link: string | undefined): Promise<void>;
  /** False if the room was deleted. */
  relaySaid(relay: string, state: RelayState, epoch: string | undefined): Promise<boolean>;
}

export interface RelayLimits extends CopyLimits, SocketLimits {
  readonly messagesPerSecond: number;
}

export class Relay {
  readonly #ctx: DurableObjectState;
  readonly #wake: Wake;
  readonly #name: string;
  readonly #limits: RelayLimits;
  readonly #newHome: () => HomeStub;
  readonly #budgets: Budgets;
  readonly #audience: Audience;
  /** Who is in the room besides its readers. */
  #elsewhere: Elsewhere;
  readonly #incoming: Incoming;
  readonly #showing: Showing;
  /** One stub for all calls, which arrive in its order; after a failure, a new one. */
  #home: HomeStub | undefined;
  #numbers: Numbers | undefined;
  /** All kept messages up to `have`; undefined until somebody needs them. */
  #copy: Copy | undefined;
  #door: Door | undefined;
  readonly #ended = new Set<string>();
  /**
   * Names that a newcomer's greeting had and the readers had not, or the other way round, until a frame tells of them.
   * None does of somebody who came and went, or went and came, before the home heard of it.
   */
  readonly #untold = new Set<string>();
  #heardAt = 0;
  #stateAt = 0;
  /** When the home was last asked for a number that it did not have either (ms since the epoch). */
  #unreachedAt = 0;
  /** Joins on their way: the home must not forget this relay meanwhile. */
  #joining = 0;
  #loading: Promise<boolean> | undefined;
  /** How often the room was deleted. */
  #closings = 0;
  #reporting: ReturnType<typeof setTimeout> | undefined;
  #correcting: ReturnType<typeof setTimeout> | undefined;
  /** Whether the alarm is known to be set for silent sockets. */
  #isLooking = false;

  constructor(ctx: DurableObjectState, wake: Wake, limits: RelayLimits, newHome: () => HomeStub) {
    this.#ctx = ctx;
    this.#wake = wake;
    this.#name = ctx.id.name ?? "";
    this.#limits = limits;
    this.#newHome = newHome;
    this.#budgets = new Budgets(limits.messagesPerSecond, (userId) => this.#audience.keptOf(userId));
    this.#numbers = ctx.storage.kv.get<Numbers>(KEY);
    this.#elsewhere = { ...NOWHERE, count: this.#numbers?.others ?? 0 };
    this.#audience = new Audience(ctx, this.#budgets, {
      elsewhere: () => this.#elsewhere,
      leftCompany: () => ctx.waitUntil(this.#look()),
      noted: () => this.#report(),
    });
    this.#showing = new Showing(this.#audience);
    this.#incoming = new Incoming(this.#audience, this.#budgets, {
      after: (seq) => this.#showing.after(seq, this.#numbers?.have ?? 0),
      chat: (socket, member, frame) => this.#chat(socket, member, frame),
      typed: (_, userId) => {
        if (this.#audience.count <= MAX_SHOWN) this.#typed(userId);
      },
    });
  }

  /** Lets in a caller, whom the home has let in (`granted`), or who is let in by the door as it was a moment ago. */
  async fetch(request: Request): Promise<Response> {
    const joining = readJoinRequest(request);
    this.#joining++;
    try {
      const isSent = joining.granted !== undefined;
      const isFresh = isSent || Math.abs(Date.now() - this.#heardAt) < FRESH_MS;
      // Who was at home a moment ago may have messages that are still on their way here.
      const lacks = () => (joining.after ?? 0) > (this.#numbers?.have ?? 0);
      const mayLack = (isSent || Math.abs(Date.now() - this.#unreachedAt) >= UNREACHED_MS) && lacks();
      if (!this.#copy || !this.#numbers || !isFresh || mayLack) {
        if (!(await this.#load(joining.ifThere === true))) return notThere();
        if (lacks()) this.#unreachedAt = Date.now();
      }
      return await this.#admit(joining);
    } finally {
      this.#joining--;
    }
  }

  /**
   * Takes what the home sends. It may overtake the answer that starts this relay, or gives it everything anew, and waits
   * for it: the room is not forgotten, and the messages in the answer are not older than those that are here.
   */
  async take(push: Push): Promise<RelayState> {
    await this.#loading?.catch(() => undefined);
    if (this.#numbers && this.#audience.isEmpty() && this.#joining === 0) this.#forget();
    this.#heardAt = Date.now();
    if (this.#numbers) this.#receive(push);
    // Somebody may have joined elsewhere, who would notice a silent reader here.
    this.#ctx.waitUntil(this.#look());
    return this.#state();
  }

  /**
   * The room was deleted, and if it was made anew, the home has the link `current`. Returns the epoch that ended, if
   * one did.
   */
  close(current: string | undefined): string | undefined {
    this.#closings++;
    const { epoch, link } = this.#numbers ?? {};
    if (current !== undefined && link === current) return undefined;
    this.#end();
    return epoch;
  }

  holdsSession(session: string): boolean {
    return this.#audience.ofSession(session).length > 0;
  }

  hasUser(userId: string): boolean {
    return this.#audience.open(userId).length > 0;
  }

  message(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    return this.#incoming.message(socket, data);
  }

  closed(socket: WebSocket): void {
    this.#audience.closed(socket);
  }

  /** It may run early, late or twice. */
  async alarm(): Promise<void> {
    const now = Date.now();
    // Whoever is put out now does not set it.
    this.#isLooking = true;
    const lookAgain = this.#audience.lookForSilent(now);
    this.#isLooking = lookAgain !== undefined;
    // It set itself after the rest was deleted, because a report failed.
    if (!this.#numbers) return this.#wake.wipe();
    if (this.#audience.isEmpty() && this.#joining === 0) await this.#sendReport();
    else await this.#wake.arm(lookAgain ?? now + LOOK_EVERY_MS);
  }

  /** Asks the home for everything. False if the room does not exist, and must not be made. */
  async #load(ifThere: boolean): Promise<boolean> {
    for (;;) {
      const isMine = this.#loading === undefined;
      this.#loading ??= this.#attach(ifThere).finally(() => {
        this.#loading = undefined;
      });
      if (await this.#loading) return true;
      if (isMine || ifThere) return false;
    }
  }

  async #attach(ifThere: boolean): Promise<boolean> {
    let closings: number;
    let push: Push | undefined;
    do {
      closings = this.#closings;
      push = await retry(() => this.#call((home) => home.attach(this.#name, ifThere)));
      if (!push) return false;
      // If the room was deleted meanwhile, this may be how it was.
    } while (closings !== this.#closings);
    // No await from here to the socket, so that no message is missed between.
    this.#heardAt = Date.now();
    this.#receive(push);
    return true;
  }

  async #admit(joining: Joining): Promise<Response> {
    if (!this.#numbers || !this.#copy) {
      const detail = "The room was changed while you joined; try again";
      return problemResponse({ kind: "unavailable", detail });
    }
    // Also if the user was here: the home answers whether the room is still there. And also if they are refused now: the
    // home counts a place for whom it has let in, until it hears how many are here.
    this.#report();
    const now = Date.now();
    const { session, undecided: caller, granted } = joining;
    if (session !== undefined && this.#ended.has(session)) {
      return problemResponse(deadCredential("The session").problem);
    }
    // If the home has looked at a newer door than ours, its word counts.
    const isOurs = granted === undefined || granted <= this.#numbers.turn;
    if (isOurs && caller && this.#door && !isLetIn(caller, this.#door)) return problemResponse(denied(caller).problem);
    const [audience, budgets, limits] = [this.#audience, this.#budgets, this.#limits];
    const full = `The room is full here: ${MAX_SOCKETS} are in this part of it; try again later`;
    const why = whyFull(joining, { audience, budgets, limits, full }, now);
    if (why) return problemResponse(why);
    const kept = {
      read: (range: Range) => this.#page(range),
      deleted: (last: number) => this.#copy?.deleted(last) ?? [],
    };
    const { answer } = letIn(joining, { audience, kept }, now);
    for (const name of differing(this.#numbers.told, this.#here())) this.#untold.add(name);
    this.#correctLater();
    await this.#look();
    return answer;
  }

  /** Shows messages that are new, and carries out orders that are. No await: what is shown and its number are one. */
  #receive(push: Push): void {
    if (!isSameLink(this.#numbers?.link, push.link)) {
      this.#end();
      if (!push.door) return;
    }
    const before = this.#numbers;
    if (before && isLost(before, push)) {
      this.#audience.putOutAll(TRY_AGAIN, "Connect again with ?after=<the last number you have>");
      this.#forget();
      if (!push.door) return;
    }
    const { have, turn } = this.#numbers ?? { have: push.last, turn: push.lastTurn };
    // It comes after some that are missing here. The home goes on from our answer; or those are no longer kept.
    if (!push.door && push.after > have) return;
    const fresh = push.messages.filter(({ seq }) => seq > have);
    const last = fresh.at(-1)?.seq ?? have;
    const { count, users } = push.others;
    this.#elsewhere = { ...NOWHERE, count, users: () => users };
    if (push.door) {
      this.#door = push.door;
      this.#copy = new Copy(this.#limits);
      for (const session of push.ended ?? []) addNewest(this.#ended, session);
    }
    this.#copy?.add(push.door ? push.messages : fresh, { first: push.first, last });
    const orders = push.orders.filter((order) => order.turn > turn);
    // Who may no longer be here gets none of the messages, and a deletion comes after its message.
    for (const { order } of orders) if (order.kind !== "deleted") this.#obey(order);
    this.#show(fresh, have);
    for (const { order } of orders) if (order.kind === "deleted") this.#obey(order);
    // A relay that starts has shown nothing, so all of that is behind it.
    const frames = push.frames.flatMap((frame) => this.#asOfNow(frame));
    const told = frames.reduce(toldAfter, this.#numbers ? this.#numbers.told : this.#here());
    const { epoch, link } = push;
    this.#keep({ epoch, link, have: last, turn: orders.at(-1)?.turn ?? turn, others: count, told });
    for (const frame of frames) {
      this.#pass(frame);
      takeTold(this.#untold, frame);
    }
    this.#correctLater();
  }

  /** A frame without what is over here: the home may not have heard yet of who came meanwhile. */
  #asOfNow(frame: ServerFrame): ServerFrame | [] {
    const isGone = (userId: string) => !this.hasUser(userId);
    if (frame.type === "presence") return this.#audience.presence();
    if (frame.type === "presence_changed") return { ...frame, left: frame.left.filter(isGone) };
    return frame.type === "user_left" && !isGone(frame.userId) ? [] : frame;
  }

  /** Who is here, as readers should know it. */
  #here(): Told {
    return toldAfter(undefined, this.#audience.presence());
  }

  /** Whether all readers know who is here. */
  #isTold(): boolean {
    return this.#untold.size === 0 && isSameTold(this.#numbers?.told, this.#here());
  }

  /** If a frame that says who came or went does not come, the readers are told who is here. */
  #correctLater(): void {
    if (this.#isTold()) {
      clearTimeout(this.#correcting ?? 0);
      this.#correcting = undefined;
      return;
    }
    this.#correcting ??= setTimeout(() => {
      this.#correcting = undefined;
      if (!this.#numbers || this.#isTold()) return;
      this.#audience.tell(this.#audience.presence());
      this.#untold.clear();
      this.#keep({ ...this.#numbers, told: this.#here() });
    }, CORRECT_AFTER_MS);
  }

  #show(fresh: readonly Message[], have: number): void {
    const [next] = fresh;
    if (!next) return;
    const readers = this.#audience.readers();
    if (next.seq > have + 1) this.#audience.deliver(readers, { type: "gap", after: have, first: next.seq });
    this.#showing.show(fresh, readers);
  }

  #obey(order: Order): void {
    if (order.kind === "door") {
      this.#door = order.door;
      this.#audience.putOutUnless((caller) => isLetIn(caller, order.door));
    } else if (order.kind === "ended") {
      addNewest(this.#ended, order.session);
      this.#audience.putOutSession(order.session);
    } else {
      const { seq } = order;
      this.#copy?.blank(seq);
      this.#audience.tell({ type: "deleted", seq });
    }
  }

  /** Passes on a frame of the moment, but not to the user whom it is about. */
  #pass(frame: ServerFrame): void {
    const readers = this.#audience.readers();
    const isAbout = (socket: WebSocket) =>
      "userId" in frame && this.#audience.memberOf(socket)?.userId === frame.userId;
    // The readers are in the order in which they came. Who came after somebody has their name from the greeting.
    const end = frame.type === "user_joined" ? readers.findIndex(isAbout) : -1;
    this.#audience.deliver(end < 0 ? readers.filter((socket) => !isAbout(socket)) : readers.slice(0, end), frame);
  }

  async #chat(socket: WebSocket, member: Member, frame: ChatFrame): Promise<void> {
    const { userId, address, known } = member;
    const talker = { userId, address, known };
    const link = this.#numbers?.link;
    let answer: ServerFrame;
    try {
      const say = () => this.#call((home) => home.say(talker, frame, link));
      // Without an id, a message that was stored before its answer was lost would be stored twice.
      const said = frame.clientId === undefined ? await say() : await retry(say);
      if (!said) return this.#isNoMore(link);
      answer = said;
    } catch {
      answer = errorOf(frame, NOT_STORED);
    }
    const isOffence =
      (answer.type === "ack" && answer.duplicate) ||
      (answer.type === "error" && (answer.code === "conflict" || answer.code === "rate-limited"));
    if (!isOffence || this.#incoming.bears(socket, member, COSTS.offence)) this.#audience.deliver([socket], answer);
  }

  #page(range: Range): Page {
    return this.#copy?.page(range, Date.now()) ?? { messages: [], first: 1, last: this.#numbers?.have ?? 0 };
  }

  #typed(userId: string): void {
    const link = this.#numbers?.link;
    this.#call((home) => home.typed(userId, link)).catch(() => undefined);
  }

  #state(): RelayState {
    const { epoch, link, have = 0, turn = 0 } = this.#numbers ?? {};
    const sockets = this.#audience.open().length + this.#joining;
    this.#stateAt = Math.max(this.#stateAt + 1, Date.now());
    return { epoch, link, have, turn, sockets, people: this.#audience.own(), at: this.#stateAt };
  }

  /** Somebody came or went. */
  #report(): void {
    this.#reporting ??= setTimeout(() => {
      this.#reporting = undefined;
      this.#sendReport().catch(() => undefined);
    }, REPORT_AFTER_MS);
  }

  /** Tells the home who is here. If that is lost, the home learns it with the next message. */
  async #sendReport(): Promise<void> {
    const epoch = this.#numbers?.epoch;
    if (this.#audience.isEmpty() && this.#joining === 0) this.#forget();
    let link: string | undefined;
    const known = await retry(() => {
      // Taken anew for each attempt, because a later report may have got there meanwhile.
      const state = this.#state();
      link = state.link;
      return this.#call((home) => home.relaySaid(this.#name, state, epoch));
    });
    if (known === false) this.#isNoMore(link);
  }

  /** The home does not know this link: the room was deleted, and the call that says so did not get here. */
  #isNoMore(link: string | undefined): void {
    if (this.#numbers && this.#numbers.link === link) this.#end();
  }

  #end(): void {
    this.#audience.putOutAll(GOING_AWAY, "The room was deleted");
    this.#forget();
  }

  async #call<T>(ask: (home: HomeStub) => Promise<T>): Promise<T> {
    this.#home ??= this.#newHome();
    const asked = this.#home;
    try {
      return await ask(asked);
    } catch (error) {
      if (this.#home === asked) this.#home = undefined;
      throw error;
    }
  }

  /** Sets the alarm that looks for silent sockets, if anybody would notice them. */
  async #look(): Promise<void> {
    if (this.#isLooking || !this.#numbers || !this.#audience.isCompany()) return;
    this.#isLooking = true;
    await this.#wake.arm(Date.now() + ASK_AFTER_MS);
  }

  #keep(numbers: Numbers): void {
    const before = this.#numbers;
    const isSame = (["epoch", "link", "have", "turn", "others"] as const).every(
      (key) => before?.[key] === numbers[key],
    );
    if (!isSame || !isSameTold(before?.told, numbers.told)) this.#ctx.storage.kv.put(KEY, numbers);
    if (!before) this.#ctx.waitUntil(this.#wake.arm(Date.now() + LOOK_EVERY_MS));
    this.#numbers = numbers;
  }

  #forget(): void {
    this.#numbers = this.#copy = this.#door = undefined;
    this.#ended.clear();
    this.#untold.clear();
    this.#heardAt = 0;
    // The alarm goes with the rest.
    this.#isLooking = false;
    this.#ctx.waitUntil(this.#wake.wipe());
  }
}

/** Whether the home does not go on from where the relay is: the room is another one, or orders are no longer kept. */
const isLost = ({ have, turn }: Numbers, push: Push): boolean =>
  push.last < have || push.lastTurn < turn || push.firstTurn > turn + 1;
