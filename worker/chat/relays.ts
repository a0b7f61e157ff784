/**
 * The home's side of its relays (relay-protocol.ts): which there are, and what each still has to be sent. Sending starts
 * with each message, and an alarm, set before the message is stored, looks for what a crash left over.
 */
import { retry } from "../objects/retry.ts";
import type { History } from "./history.ts";
import { MAX_SHOWN, MAX_SOCKETS, MESSAGES_PER_FRAME } from "./limits.ts";
import type { ServerFrame } from "./protocol.ts";
import {
  isSameLink,
  LOOK_EVERY_MS,
  NOBODY,
  type Order,
  type People,
  type Push,
  type RelayState,
} from "./relay-protocol.ts";
import { tellsWho } from "./told.ts";

/** The alarm looks so long after a message. */
const LOOK_AFTER_MS = 5_000;
/** Orders that are kept for relays that missed them. One that missed more closes its sockets, which resume. */
const ORDERS_KEPT = 100;
/** In the place of a door before the newest, which stands for it: the end of no session. */
const PASSED: Order = { kind: "ended", session: "" };
const ORDERS = "relay-orders";
const prefix = "relay:";
const ENDING = "relays-ending";
const SETTLED = "relays-settled";

/** What is stored of a relay: written when it comes, and when its people change. */
interface Stored {
  readonly epoch: string;
  readonly link?: string | undefined;
  readonly sockets: number;
  readonly people: People;
}

/** What is known of a relay. */
interface RelayRow extends Stored {
  /** Its numbers, as it last said; undefined if the home has just woken. */
  readonly have?: number | undefined;
  readonly turn?: number | undefined;
  /** Let in by the home since the relay last said how many it has. */
  readonly granted: number;
  /** The relay's newest state that came. */
  readonly at?: number | undefined;
  /** The epoch that the relay named last, if it is another one. */
  readonly toldEpoch?: string | undefined;
}

/**
 * What every relay had at the last look, and when all were last asked: so a home that slept need not ask again. Not there
 * while a relay may have missed who came or went.
 */
interface Settled {
  readonly last: number;
  readonly turn: number;
  readonly askedAt: number;
}

interface Orders {
  readonly last: number;
  readonly list: Push["orders"];
}

/** The object of a relay, as the home calls it. */
export interface RelayStub {
  take(push: Push): Promise<RelayState>;
  /** Returns the epoch that ended, if the relay was not of the link `current`. */
  endRelay(current: string | undefined): Promise<string | undefined>;
  holdsSession(session: string): Promise<boolean>;
  hasUser(userId: string): Promise<boolean>;
}

/** What the relays need of the room. */
export interface Home {
  readonly storage: DurableObjectStorage;
  stub(name: string): RelayStub;
  history(): History | undefined;
  /** The people whose sockets are at home. */
  people(): People;
  /** Somebody came or went at a relay, and is (not) anywhere else. */
  moved(userId: string, move: "joined" | "left"): void;
  /** The room became a crowd, or stopped being one. */
  turned(): void;
  arm(at: number): Promise<void>;
}

export class Relays {
  readonly #home: Home;
  readonly #rows = new Map<string, RelayRow>();
  readonly #frames = new Map<string, ServerFrame[]>();
  readonly #pumping = new Map<string, Promise<void>>();
  /** Relays of a deleted room that may not know it yet, and a name for each deletion. */
  readonly #ending: Map<string, string>;
  #orders: Orders;
  /** Whether the alarm is known to be set for what was sent just now. */
  #armed = false;
  #settled: Settled | undefined;
  /** When all relays were last asked (ms since the epoch). */
  #askedAt = 0;

  constructor(home: Home) {
    this.#home = home;
    this.#orders = home.storage.kv.get<Orders>(ORDERS) ?? { last: 0, list: [] };
    this.#settled = home.storage.kv.get<Settled>(SETTLED);
    this.#askedAt = this.#settled?.askedAt ?? 0;
    const { last, turn } = this.#settled ?? {};
    const known = last !== undefined && last === this.#last && turn === this.turn ? { have: last, turn } : {};
    for (const [key, stored] of home.storage.kv.list<Stored>({ prefix })) {
      this.#rows.set(key.slice(prefix.length), { ...stored, ...known, granted: 0 });
    }
    this.#ending = new Map(home.storage.kv.get<[string, string][]>(ENDING));
  }

  get isEmpty(): boolean {
    return this.#rows.size === 0;
  }

  /** Whether a relay may not know yet that the room was deleted. */
  get isEnding(): boolean {
    return this.#ending.size > 0;
  }

  /** Whether there is such a link. An older release does not name its own, and drops the names that it finds. */
  knows(link: string | undefined): boolean {
    return link === undefined || [...this.#rows.values()].some((each) => isSameLink(each.link, link));
  }

  /** The newest order's number. */
  get turn(): number {
    return this.#orders.last;
  }

  /** The newest message's number. */
  get #last(): number {
    return this.#home.history()?.last ?? 0;
  }

  get count(): number {
    let count = 0;
    for (const { people } of this.#rows.values()) count += people.count;
    return count;
  }

  *users(): Generator<string> {
    for (const { people } of this.#rows.values()) yield* people.users;
  }

  has(userId: string): boolean {
    return this.#isAtOther(undefined, userId);
  }

  /** Whether somebody is at a relay other than this one. */
  #isAtOther(name: string | undefined, userId: string): boolean {
    return [...this.#rows].some(([other, { people }]) => other !== name && people.users.includes(userId));
  }

  /** The first of these relays with a place, which is then taken; undefined if all are full. */
  place(names: readonly string[]): string | undefined {
    const free = names.find((name) => {
      const row = this.#rows.get(name);
      return !row || row.sockets + row.granted < MAX_SOCKETS;
    });
    const row = free === undefined ? undefined : this.#rows.get(free);
    if (free !== undefined && row) this.#rows.set(free, { ...row, granted: row.granted + 1 });
    return free;
  }

  /** A relay starts, or has lost its memory: sends it everything. */
  attach(name: string, { door, ended }: Required<Pick<Push, "door" | "ended">>): Push {
    const epoch = crypto.randomUUID();
    const before = this.#rows.get(name);
    const history = this.#home.history();
    const [first, last] = [history?.first ?? 1, history?.last ?? 0];
    this.#set(name, {
      epoch,
      // Named now, if an older release made it.
      link: before?.link ?? crypto.randomUUID(),
      sockets: before?.sockets ?? 0,
      people: before?.people ?? NOBODY,
      granted: before?.granted ?? 0,
      // If this answer is lost, a relay that has readers still has only what it had.
      have: before ? before.have : last,
      turn: before ? before.turn : this.turn,
    });
    const messages = history?.read({ after: first - 1, limit: last - first + 1 }) ?? [];
    // What waits for the relay goes by `send`, so that its readers are told once.
    return {
      ...this.#push(name, epoch),
      after: first - 1,
      messages,
      orders: this.#orders.list,
      frames: [],
      door,
      ended,
    };
  }

  /** What a relay says of itself, in an answer or by itself. False if its room is no more, and it must forget it. */
  said(name: string, state: RelayState, epoch: string | undefined): boolean {
    const row = this.#rows.get(name);
    if (state.epoch === undefined) this.#forgot(name, epoch);
    else if (!row || !isSameLink(row.link, state.link)) return false;
    else {
      const { have, turn, sockets, at } = state;
      // An answer and a report may overtake each other.
      const isOld = at !== undefined && row.at !== undefined && at < row.at;
      const users = state.people.count > MAX_SHOWN ? [] : state.people.users;
      const people = isOld ? row.people : { ...state.people, users };
      const about = isOld ? {} : { sockets, people, granted: 0, at };
      this.#set(name, { ...row, have, turn, toldEpoch: undefined, ...about });
      this.#tellMoves(name, row.people, people);
    }
    this.#tellEpoch(name, state.epoch ?? epoch);
    return true;
  }

  /**
   * The answer with the newest epoch was lost, or a push from before came after it. Without it the relay could not say
   * that it has forgotten the room.
   */
  #tellEpoch(name: string, toldEpoch = ""): void {
    const row = this.#rows.get(name);
    if (!row || row.epoch === toldEpoch) return;
    this.#rows.set(name, { ...row, toldEpoch });
    void this.send();
  }

  /** Call it before a message or an order is stored. */
  async prepare(): Promise<void> {
    if (this.#armed || this.isEmpty) return;
    await this.#home.arm(Date.now() + LOOK_AFTER_MS);
    this.#armed = true;
  }

  /** Stores an order for all relays. Call it in the turn that stores what it is about, then `send`. */
  order(order: Order): void {
    if (this.isEmpty) return;
    const last = this.#orders.last + 1;
    const all = [...this.#orders.list, { turn: last, order }].slice(-ORDERS_KEPT);
    const newest = all.findLastIndex(isOfDoor);
    // A door with all its members is large, and a value has at most 2 MB.
    const list = all.map((each, i) => (i < newest && isOfDoor(each) ? { ...each, order: PASSED } : each));
    this.#orders = { last, list };
    this.#home.storage.kv.put(ORDERS, this.#orders);
  }

  /** Sends a frame of the moment to all relays. */
  tell(frame: ServerFrame): void {
    if (tellsWho(frame)) this.#settle(undefined);
    for (const name of this.#rows.keys()) {
      const frames = this.#frames.get(name) ?? [];
      if (frames.length < MESSAGES_PER_FRAME) this.#frames.set(name, [...frames, frame]);
    }
    if (!this.isEmpty) void this.send();
  }

  /** Sends to each relay what it does not have. Ends when all have it, or could not be reached. */
  async send(): Promise<void> {
    await Promise.all(
      [...this.#rows.keys()].map((name) => {
        const pumping = this.#pumping.get(name) ?? this.#pump(name);
        this.#pumping.set(name, pumping);
        return pumping;
      }),
    );
  }

  /** For the alarm: sends what a crash or a lost call left over. */
  async look(): Promise<void> {
    this.#armed = false;
    await this.#endAgain();
    if (this.isEmpty) return;
    const now = Date.now();
    if (Math.abs(now - this.#askedAt) >= LOOK_EVERY_MS) {
      this.#askedAt = now;
      for (const [name, { have: _, ...row }] of this.#rows) this.#rows.set(name, row);
    }
    await this.send();
    if (this.isEmpty) return;
    if ([...this.#rows].some(([name, row]) => this.#isBehind(name, row))) return this.prepare();
    this.#settle({ last: this.#last, turn: this.turn, askedAt: this.#askedAt });
    await this.#home.arm(this.#askedAt + LOOK_EVERY_MS);
  }

  #settle(settled: Settled | undefined): void {
    const before = this.#settled;
    const isSame = (["last", "turn", "askedAt"] as const).every((key) => before?.[key] === settled?.[key]);
    this.#settled = settled;
    if (isSame) return;
    if (settled) this.#home.storage.kv.put(SETTLED, settled);
    else this.#home.storage.kv.delete(SETTLED);
  }

  /** Asks all relays. */
  async some(question: (relay: RelayStub) => Promise<boolean>): Promise<boolean> {
    const answers = [...this.#rows.keys()].map((name) => retry(() => question(this.#home.stub(name))));
    return (await Promise.all(answers)).includes(true);
  }

  /**
   * The room is deleted: forgets all relays. Call it in the turn that deletes the messages, so that a relay that starts
   * meanwhile starts with the new room. Then `end`.
   */
  close(): void {
    const { kv } = this.#home.storage;
    // The alarm may go with the rest.
    this.#armed = false;
    this.#settle(undefined);
    kv.delete(ORDERS);
    this.#orders = { last: 0, list: [] };
    if (this.isEmpty) return;
    for (const name of this.#rows.keys()) {
      kv.delete(prefix + name);
      this.#ending.set(name, crypto.randomUUID());
    }
    kv.put(ENDING, [...this.#ending]);
    this.#rows.clear();
    this.#frames.clear();
  }

  /** Ends the relays of a deleted room. @throws if one cannot be reached; then the alarm tries again */
  async end(): Promise<void> {
    if (!this.isEnding) return;
    await this.#home.arm(Date.now() + LOOK_AFTER_MS);
    const ends = await Promise.allSettled([...this.#ending].map(([name, deletion]) => this.#end(name, deletion)));
    const { kv } = this.#home.storage;
    if (this.isEnding) kv.put(ENDING, [...this.#ending]);
    else kv.delete(ENDING);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  async #end(name: string, deletion: string): Promise<void> {
    const epoch = await retry(() => this.#home.stub(name).endRelay(this.#rows.get(name)?.link));
    // It may have started anew after the call was sent.
    this.#forgot(name, epoch);
    if (this.#ending.get(name) === deletion) this.#ending.delete(name);
  }

  async #endAgain(): Promise<void> {
    try {
      await this.end();
    } catch (error) {
      console.warn(JSON.stringify({ chat: "relay not ended", error: String(error) }));
    }
  }

  async #pump(name: string): Promise<void> {
    // First `send` puts this into #pumping. A pump that ended before would stay there, and be taken for one that runs.
    await Promise.resolve();
    let sent: Push["frames"] = [];
    try {
      for (let row = this.#rows.get(name); row && this.#isBehind(name, row); row = this.#rows.get(name)) {
        const { epoch } = row;
        const push = this.#push(name, epoch);
        sent = push.frames;
        this.#frames.delete(name);
        const state = await retry(() => this.#home.stub(name).take(push));
        // It lacks messages that come before these frames.
        if (state.epoch !== undefined && state.have < push.after) this.#giveBack(name, sent);
        this.said(name, state, epoch);
        const isStuck = state.have === row.have && state.turn === row.turn;
        if (isStuck && push.messages.length + push.orders.length > 0) throw new Error(`it stays at ${state.have}`);
      }
    } catch (error) {
      // The alarm sends messages and orders again. Who is there goes with every push.
      const lost = [...sent, ...(this.#frames.get(name) ?? [])];
      this.#frames.delete(name);
      if (lost.some(tellsWho)) await this.#askAgain(name);
      console.warn(JSON.stringify({ chat: "relay not reached", error: String(error) }));
    } finally {
      // In the turn that found nothing more to send: what comes later starts the next one.
      this.#pumping.delete(name);
    }
  }

  #giveBack(name: string, frames: Push["frames"]): void {
    if (frames.length === 0 || !this.#rows.has(name)) return;
    this.#frames.set(name, [...frames, ...(this.#frames.get(name) ?? [])].slice(0, MESSAGES_PER_FRAME));
  }

  /** The alarm calls the relay, also if there is no message for it. */
  async #askAgain(name: string): Promise<void> {
    const row = this.#rows.get(name);
    if (row) this.#rows.set(name, { ...row, have: undefined });
    this.#settle(undefined);
    await this.prepare();
  }

  #isBehind(name: string, { have, turn, toldEpoch }: RelayRow): boolean {
    return have !== this.#last || turn !== this.turn || toldEpoch !== undefined || this.#frames.has(name);
  }

  #push(name: string, epoch: string): Push {
    const row = this.#rows.get(name);
    const history = this.#home.history();
    const last = this.#last;
    // One whose numbers are not known is only asked.
    const { have: after = last, turn = this.turn } = row ?? {};
    const messages = after < last ? (history?.read({ after, limit: MESSAGES_PER_FRAME }) ?? []) : [];
    const upTo = messages.at(-1)?.seq ?? last;
    return {
      epoch,
      link: row?.link,
      after,
      messages,
      first: history?.first ?? 1,
      last,
      orders: this.#ordersAfter(turn, upTo),
      firstTurn: this.#orders.list[0]?.turn ?? this.turn + 1,
      lastTurn: this.turn,
      others: this.#others(name),
      frames: this.#frames.get(name) ?? [],
    };
  }

  /** The orders after a turn. A deletion goes after its message (`upTo`), and so do the orders that come after it. */
  #ordersAfter(turn: number, upTo: number): Push["orders"] {
    const orders = this.#orders.list.filter((order) => order.turn > turn);
    const early = orders.findIndex(({ order }) => order.kind === "deleted" && order.seq > upTo);
    if (early < 0) return orders;
    const due = orders.slice(0, early);
    const [at, door] = [due.at(-1), orders.findLast(isOfDoor)];
    // The newest door may stand for one of these.
    return at && door ? [...due, { ...door, turn: at.turn }] : due;
  }

  #others(name: string): People {
    const home = this.#home.people();
    const others = [home, ...[...this.#rows].flatMap(([other, { people }]) => (other === name ? [] : [people]))];
    const count = others.reduce((sum, people) => sum + people.count, 0);
    // In a crowd a relay shows the names of its own readers, so that not every call has a hundred.
    if (count > MAX_SHOWN) return { count, users: [] };
    const users = new Set(others.flatMap((people) => people.users));
    return { count: users.size, users: [...users] };
  }

  #tellMoves(name: string, before: People, after: People): void {
    const isCrowd = this.#home.people().count + this.count > MAX_SHOWN;
    const wasCrowd = this.#home.people().count + this.count - after.count + before.count > MAX_SHOWN;
    if (isCrowd !== wasCrowd) this.#home.turned();
    if (isCrowd || wasCrowd) return;
    const [was, is] = [new Set(before.users), new Set(after.users)];
    const move = (userIds: Iterable<string>, kind: "joined" | "left") => {
      for (const userId of userIds) if (!this.#isAtOther(name, userId)) this.#home.moved(userId, kind);
    };
    move(is.difference(was), "joined");
    move(was.difference(is), "left");
  }

  /** A relay has forgotten the room, unless it was attached anew since. */
  #forgot(name: string, epoch: string | undefined): void {
    const row = this.#rows.get(name);
    if (!row || row.epoch !== epoch) return;
    this.#rows.delete(name);
    this.#frames.delete(name);
    this.#home.storage.kv.delete(prefix + name);
    if (this.isEmpty) this.#settle(undefined);
    this.#tellMoves(name, row.people, NOBODY);
  }

  #set(name: string, row: RelayRow): void {
    const before = this.#rows.get(name);
    this.#rows.set(name, row);
    const { epoch, link, sockets, people } = row;
    const isSame =
      before?.epoch === epoch && before.people.count === people.count && `${before.people.users}` === `${people.users}`;
    if (!isSame) this.#home.storage.kv.put<Stored>(prefix + name, { epoch, link, sockets, people });
  }
}

const isOfDoor = ({ order }: Orders["list"][number]): boolean => order.kind === "door";
