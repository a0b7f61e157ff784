/**
 * The budgets of one user, one network address and a whole room. All sockets of a user share that user's budgets, so
 * that more sockets do not give more.
 *
 * A sleeping room loses no budget: each is full again before an idle room falls asleep, or is kept with the user's
 * sockets.
 */
import { type Bucket, full, type Policy, refill, take, waitFor } from "../objects/bucket.ts";
import { Memory } from "../objects/memory.ts";

/** How many messages one user may send. */
const USER_MESSAGES: Policy = { capacity: 20, periodSeconds: 10 };
/** Typing signs of a user, and in a room. Further ones are not passed on. */
const USER_TYPING: Policy = { capacity: 1, periodSeconds: 1 };
const ROOM_TYPING: Policy = { capacity: 20, periodSeconds: 1 };
/** Single frames for joins and leaves; above this, one frame says who is here. */
const ROOM_NEWS: Policy = { capacity: 20, periodSeconds: 1 };

/** A room's patience with a user's useless frames. It refills within a minute. */
const PATIENCE: Policy = { capacity: 600, periodSeconds: 60 };
/** How much patience each thing costs. */
export const COSTS = {
  /** A typing sign: ten a second are fine. */
  typing: 1,
  /** A ping that wakes the room, or a `seen`. */
  sign: 1,
  /** A join, which the room answers with its history. */
  join: 10,
  /** An invalid frame, one over a limit, or a repeated message. */
  offence: 10,
} as const;

/** Whose budgets are charged. `address` is missing if the caller did not come over the network. */
export interface Spender {
  readonly userId: string;
  readonly address?: string | undefined;
}

/** What is left of a user's budgets, as their sockets keep it. */
export interface Left {
  readonly messages: Bucket;
  readonly patience: Bucket;
}

/** Which budget was too small, and how long to wait. */
export interface Over {
  readonly whose: "user" | "address" | "room";
  readonly policy: Policy;
  readonly waitMs: number;
}

export class Budgets {
  readonly #roomMessages: Policy;
  /** Half of the room's budget, so that no address can use all of it. */
  readonly #addressMessages: Policy;
  /** Reads what the user's sockets kept, after the room has slept. */
  readonly #kept: (userId: string) => readonly Left[];
  readonly #users = new Memory<Left>();
  readonly #addresses = new Memory<Bucket>();
  readonly #typing = new Memory<Bucket>();
  #room: Bucket | undefined;
  #roomTyping: Bucket | undefined;
  #roomNews: Bucket | undefined;

  constructor(messagesPerSecond: number, kept: (userId: string) => readonly Left[]) {
    this.#roomMessages = { capacity: messagesPerSecond, periodSeconds: 1 };
    this.#addressMessages = { capacity: Math.ceil(messagesPerSecond / 2), periodSeconds: 1 };
    this.#kept = kept;
  }

  /** What is left of the user's budgets now. If it has changed, keep it with the socket. */
  left(userId: string, now: number): Left {
    const known = this.#users.get(userId, now);
    if (known) {
      return { messages: refill(known.messages, USER_MESSAGES, now), patience: refill(known.patience, PATIENCE, now) };
    }
    const all = this.#kept(userId);
    const least = (policy: Policy, buckets: readonly Bucket[]) =>
      buckets
        .map((bucket) => refill(bucket, policy, now))
        .reduce((a, b) => (a.units < b.units ? a : b), full(policy, now));
    return {
      messages: least(
        USER_MESSAGES,
        all.map(({ messages }) => messages),
      ),
      patience: least(
        PATIENCE,
        all.map(({ patience }) => patience),
      ),
    };
  }

  /** Takes a message out of all three budgets, or out of none. */
  message({ userId, address }: Spender, now: number): Over | undefined {
    const left = this.left(userId, now);
    const user = ask("user", left.messages, USER_MESSAGES, now);
    const whole = ask("room", this.#room, this.#roomMessages, now);
    const before = address === undefined ? undefined : this.#addresses.get(address, now);
    const near = address === undefined ? undefined : ask("address", before, this.#addressMessages, now);
    const over = user.over ?? near?.over ?? whole.over;
    if (over) return over;
    this.#remember(userId, { ...left, messages: user.bucket }, now);
    this.#room = whole.bucket;
    if (near && address !== undefined) {
      this.#addresses.set(address, near.bucket, now + this.#addressMessages.periodSeconds * 1_000);
    }
    return undefined;
  }

  /** Uses up patience. False if too little was left; then none is left. */
  bear(userId: string, cost: number, now: number): boolean {
    const left = this.left(userId, now);
    const taken = take(left.patience, PATIENCE, cost);
    this.#remember(userId, { ...left, patience: taken.bucket }, now);
    return taken.allowed;
  }

  /** Whether a typing sign may be passed on. */
  mayType(userId: string, now: number): boolean {
    const user = ask("user", this.#typing.get(userId, now), USER_TYPING, now);
    if (user.over) return false;
    const room = ask("room", this.#roomTyping, ROOM_TYPING, now);
    if (room.over) return false;
    this.#typing.set(userId, user.bucket, now + USER_TYPING.periodSeconds * 1_000);
    this.#roomTyping = room.bucket;
    return true;
  }

  /** Whether a join or a leave may be announced at once. */
  mayTell(now: number): boolean {
    const news = ask("room", this.#roomNews, ROOM_NEWS, now);
    this.#roomNews = news.bucket;
    return !news.over;
  }

  #remember(userId: string, left: Left, now: number): void {
    this.#users.set(userId, left, now + PATIENCE.periodSeconds * 1_000);
  }
}

function ask(whose: Over["whose"], before: Bucket | undefined, policy: Policy, now: number) {
  const { allowed, bucket } = take(refill(before ?? full(policy, now), policy, now), policy, 1);
  return { bucket, over: allowed ? undefined : { whose, policy, waitMs: waitFor(bucket, policy, 1, now) } };
}
