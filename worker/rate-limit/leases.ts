/**
 * The tokens that this isolate holds for callers who come often. A check that a lease covers needs no call to the
 * bucket's object. It is plain logic: isolate.ts makes the calls.
 *
 * The object took the tokens out of the bucket when it gave the lease, so a lease never admits what the limit forbids.
 * It ends one second after it was asked for, by this isolate's clock; the object counts it for two. What is left then
 * goes back. Why: docs/decisions/0013-isolates-hold-tokens.md. How long a lease is and how large: holds.ts.
 */
import { type Policy, samePolicy } from "../objects/bucket.ts";
import { Memory } from "../objects/memory.ts";
import { type Ask, LEASE_MS, MIN_LEASE } from "./holds.ts";
import type { Verdict } from "./verdict.ts";

/** A caller is worth a lease after this many checks within the time of one. */
const HOT_CHECKS = 10;
/** Nobody can come often for long to a bucket that refills more slowly: tokens a second. It has no leases. */
const HOT_REFILL = 10;
/** A lease grows at most by this factor of what was used since the last one was asked for. */
const GROWTH = 4;
/** When less than one part in four of a lease is left, the next one is asked for. */
const LOW = 4;
/** How long a caller is remembered after the last check. */
const REMEMBERED_MS = 10_000;
/** A shorter time says nothing about how often a caller comes. */
const SHORTEST_MS = 20;
/** How long not to ask again: after a refusal, and while there is no answer. */
const REFUSED_MS = 250;
const ASKING_MS = 2_000;

interface Lease {
  readonly id: string;
  readonly until: number;
  left: number;
}

/** A caller, as this isolate knows them. */
interface Known {
  readonly policy: Policy;
  /** The oldest first. Those that are over stay until the object hears of it. */
  leases: Lease[];
  /** Checks and their tokens since `since`. */
  checks: number;
  used: number;
  since: number;
  /** The latest time of a check. If the clock is behind it, it went back. */
  seen: number;
  /** At most as many tokens are nearly nothing. */
  low: number;
  /** No new lease is asked for before. */
  askAfter: number;
}

/** Whether buckets of this policy have leases. */
export const hasLeases = ({ capacity, periodSeconds }: Policy): boolean => capacity >= HOT_REFILL * periodSeconds;

/** What this isolate knows about a check. */
export interface Spent {
  /** If a lease covers the cost. Without it the object has to decide. */
  readonly verdict?: Verdict;
  /** Present if a lease is worth asking for. Whoever gets one has to call `granted` or `failed`. */
  readonly ask?: Ask;
}

export class Leases {
  readonly #known = new Memory<Known>();
  /** Made at the first lease, because workerd gives no random values while a Worker starts. */
  #isolate: string | undefined;
  #count = 0;

  /** Pays for a check from a lease, if one covers the cost. */
  spend(name: string, policy: Policy, cost: number, now: number): Spent {
    if (!hasLeases(policy)) return {};
    const known = this.#of(name, policy, now);
    known.checks++;
    known.used += cost;
    const lease = known.leases.find(({ left, until }) => left >= cost && until > now);
    if (lease) lease.left -= cost;
    const left = tokensLeft(known, now);
    const ask = left <= known.low && now >= known.askAfter ? this.#ask(known, now) : undefined;
    return {
      ...(ask && { ask }),
      // What others left in the bucket is not known here, so this is the least that is left.
      ...(lease && { verdict: { allowed: true, remaining: left, waitMs: tokenMs(policy) } }),
    };
  }

  /** Notes the tokens that the object gave for an `ask` that was made at `askedAt`. */
  granted(name: string, policy: Policy, ask: Ask, { tokens, askedAt, now }: Grant): void {
    const known = this.#of(name, policy, now);
    known.low = Math.floor(tokens / LOW);
    known.askAfter = tokens > 0 ? 0 : now + REFUSED_MS;
    const until = askedAt + LEASE_MS;
    if (tokens > 0 && now >= askedAt && now < until) known.leases.push({ id: ask.id, until, left: tokens });
  }

  /** Notes that an `ask` had no answer. */
  failed(name: string, policy: Policy, now: number): void {
    this.#of(name, policy, now).askAfter = now + REFUSED_MS;
  }

  /** Ends a lease, because its time is over. Returns the tokens that go back to the bucket. */
  end(name: string, policy: Policy, id: string, now: number): number {
    const known = this.#known.get(name, now);
    const lease = known && samePolicy(known.policy, policy) ? known.leases.find((one) => one.id === id) : undefined;
    if (!known || !lease) return 0;
    known.leases = known.leases.filter((one) => one !== lease);
    return lease.left;
  }

  /** What to ask for, if the caller comes often enough: what it will use in the time of a lease. */
  #ask(known: Known, now: number): Ask | undefined {
    const elapsed = Math.max(now - known.since, SHORTEST_MS);
    const isHot = known.checks >= HOT_CHECKS && (known.checks * LEASE_MS) / elapsed >= HOT_CHECKS;
    const tokens = Math.floor(Math.min((known.used * LEASE_MS) / elapsed, known.used * GROWTH));
    if (isHot || elapsed >= LEASE_MS) Object.assign(known, { checks: 0, used: 0, since: now });
    if (!isHot || tokens < MIN_LEASE) return undefined;
    known.askAfter = now + ASKING_MS;
    const ended = known.leases.filter((lease) => isOver(lease, now)).map(({ id, left }) => ({ id, unused: left }));
    known.leases = known.leases.filter((lease) => !isOver(lease, now));
    this.#isolate ??= crypto.randomUUID();
    return { id: `${this.#isolate}.${this.#count++}`, tokens, ended };
  }

  #of(name: string, policy: Policy, now: number): Known {
    const before = this.#known.get(name, now);
    const isValid = before !== undefined && samePolicy(before.policy, policy) && now >= before.seen;
    const known = isValid
      ? before
      : { policy, leases: [], checks: 0, used: 0, since: now, seen: now, low: 0, askAfter: 0 };
    known.seen = now;
    this.#known.set(name, known, now + REMEMBERED_MS);
    return known;
  }
}

/** The object's answer to an ask. */
interface Grant {
  readonly tokens: number;
  readonly askedAt: number;
  readonly now: number;
}

const isOver = ({ left, until }: Lease, now: number) => left === 0 || until <= now;

function tokensLeft({ leases }: Known, now: number): number {
  let sum = 0;
  for (const { left, until } of leases) if (until > now) sum += left;
  return sum;
}

/** Milliseconds in which a token refills. */
const tokenMs = ({ capacity, periodSeconds }: Policy) => Math.ceil((periodSeconds * 1_000) / capacity);
