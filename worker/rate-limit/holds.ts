/**
 * The tokens that isolates hold, as a bucket's object keeps count of them. It is in memory only: after a crash the
 * object takes as held all that its row says may be (limiter.ts). Why there are leases, and what keeps them exact, is in
 * docs/decisions/0013-isolates-hold-tokens.md; when an isolate asks for one, in leases.ts.
 */
import type { Policy } from "../objects/bucket.ts";

/**
 * How long an isolate may use a lease, in milliseconds from before it asked. Long enough that a caller with many
 * requests costs one call a second, short enough that tokens that an idle isolate holds are soon back.
 */
export const LEASE_MS = 1_000;
/**
 * How long the object counts a lease as held, from when it gave it. Twice as long, because the clocks of two machines
 * may be corrected meanwhile, and because tokens that come back take time to arrive.
 */
export const HOLD_MS = 2 * LEASE_MS;

/** All leases together are at most a fifth of the capacity, so that one isolate cannot starve the others. */
const SHARE = 5;
/** One lease is at most a quarter of what is left: near the end, every check asks the object. */
const PART = 4;

/** What an isolate asks for, with a check or without. */
export interface Ask {
  /** Made by the isolate, so that a retry of the same call gets the same lease. */
  readonly id: string;
  readonly tokens: number;
  /** Leases that are used up or over, with the tokens that come back. */
  readonly ended: readonly Ended[];
}

export interface Ended {
  readonly id: string;
  readonly unused: number;
}

/** The most tokens that may be held under a policy of this capacity. */
export const mostHeld = (capacity: number): number => Math.floor(capacity / SHARE);

/** The size of a lease: 0 if it is not worth its call. `room`: what may be held beyond what is. */
export function leaseSize(wanted: number, left: number, room: number): number {
  const size = Math.floor(Math.min(wanted, left / PART, room));
  return size >= MIN_LEASE ? size : 0;
}

/** Fewer tokens are not worth a lease. */
export const MIN_LEASE = 4;

/**
 * When a hold ends. If the clock went back, at the same time by the clock; if by more than a period, a hold from now on,
 * because waiting for the earlier time could take for ever (as `refill` has it).
 */
function holdEnd(until: number, now: number, { periodSeconds }: Policy): number {
  return until - now > HOLD_MS + periodSeconds * 1_000 ? now + HOLD_MS : until;
}

export class Holds {
  readonly #leases = new Map<string, { tokens: number; until: number }>();
  #tokens = 0;

  /** Tokens that isolates may still use. */
  get tokens(): number {
    return this.#tokens;
  }

  /**
   * Forgets the leases whose time is over, the earliest first. Calls `before` for each: until `at` there was no room for
   * the tokens that were held, so nothing has refilled in their place.
   */
  expire(now: number, policy: Policy, before: (at: number, tokens: number) => void): void {
    for (const lease of this.#leases.values()) lease.until = holdEnd(lease.until, now, policy);
    const over = [...this.#leases].filter(([, { until }]) => until <= now).sort(([, a], [, b]) => a.until - b.until);
    for (const [id, { until }] of over) {
      before(until, this.#tokens);
      this.end({ id, unused: 0 });
    }
  }

  add(id: string, tokens: number, until: number): void {
    this.#leases.set(id, { tokens, until });
    this.#tokens += tokens;
  }

  /** The tokens of a lease; 0 if there is none. */
  of(id: string): number {
    return this.#leases.get(id)?.tokens ?? 0;
  }

  /** Ends a lease. Returns the tokens that come back: once, and none from a lease that is over or unknown. */
  end({ id, unused }: Ended): number {
    const tokens = this.of(id);
    this.#leases.delete(id);
    this.#tokens -= tokens;
    return Math.min(tokens, unused);
  }

  /** Milliseconds until the last lease is over. */
  waitMs(now: number): number {
    return Math.max(0, ...[...this.#leases.values()].map(({ until }) => until - now));
  }
}
