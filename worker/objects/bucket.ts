/**
 * The token bucket: pure arithmetic, exact to the millisecond.
 *
 * For any sequence of times, costs and policies, it admits at most the tokens that the bucket held plus those that were
 * refilled. All sums are of whole numbers below 2^53, so many small refills give exactly as much as one big refill.
 */

/** How much a bucket holds, and how fast it fills. */
export interface Policy {
  /** Tokens in a full bucket: a whole number from 1 to 1,000,000. */
  readonly capacity: number;
  /** Seconds in which an empty bucket fills up: a whole number from 1 to 86,400. */
  readonly periodSeconds: number;
}

export const samePolicy = (a: Policy, b: Policy): boolean =>
  a.capacity === b.capacity && a.periodSeconds === b.periodSeconds;

/** The content of a bucket at one moment. */
export interface Bucket {
  /**
   * Tokens times the milliseconds of the policy's period: in this unit, a millisecond refills `capacity`. Negative if
   * tokens were promised ahead (see `reserve`).
   */
  readonly units: number;
  /** The refill is counted up to here (ms since the epoch). If the clock went back, there is no refill until then. */
  readonly at: number;
}

/** A bucket, and the policy by which it refills. */
export interface RefillingBucket {
  readonly bucket: Bucket;
  readonly policy: Policy;
}

/** The result of asking for tokens. */
export interface Taken {
  readonly allowed: boolean;
  /** The bucket afterwards; a denial takes nothing. */
  readonly bucket: Bucket;
}

const MS_PER_SECOND = 1_000;
/** A reserve is at most a fifth of the capacity, which a crash may cost a caller; it saves some 19 of 20 rows. */
const RESERVE_SHARE = 5;
/** The most tokens of a reserve, unless more refill in ten seconds. A larger one saves hardly any more rows. */
const MAX_RESERVE = 100;
/** A reserve is this many times the tokens used since the last write: bursts need few writes, few calls risk little. */
const RESERVE_GROWTH = 4;
/** An object that is idle for so long is evicted (Cloudflare, "Lifecycle of a Durable Object") and loses its reserve. */
export const IDLE_MS = 10_000;
/** Who has to wait no longer still finds the object: they are told whole seconds, rounded up, and take time to come. */
export const FOUND_MS = IDLE_MS - 2_000;

const periodMs = ({ periodSeconds }: Policy) => periodSeconds * MS_PER_SECOND;
const fullUnits = (policy: Policy) => policy.capacity * periodMs(policy);

/** A full bucket. */
export function full(policy: Policy, now: number): Bucket {
  return { units: fullUnits(policy), at: now };
}

/**
 * The bucket as of `now`. A clock that went back adds nothing. `held`: tokens that were taken out and may still come
 * back or be used, so that there is no room for others in their place. Once none are, no more is owed than a full bucket
 * has: after a limit was lowered, tokens of the old one would deny a caller for many periods.
 */
export function refill(before: Bucket, policy: Policy, now: number, held = 0): Bucket {
  const bucket = held > 0 ? before : { ...before, units: Math.max(before.units, -fullUnits(policy)) };
  const room = fullUnits(policy) - held * periodMs(policy);
  const elapsed = now - bucket.at;
  if (elapsed <= 0) {
    // The clock went back by more than a period. Waiting for the earlier time could take for ever.
    const at = -elapsed > periodMs(policy) ? now : bucket.at;
    return { units: Math.min(bucket.units, room), at };
  }
  // Two periods fill any bucket, even one that owes tokens. A larger factor would make the product inexact.
  const added = Math.min(elapsed, 2 * periodMs(policy)) * policy.capacity;
  return { units: Math.min(bucket.units + added, room), at: now };
}

/** Takes `cost` tokens, or none, from a bucket that was refilled to now. */
export function take(bucket: Bucket, policy: Policy, cost: number): Taken {
  const units = bucket.units - cost * periodMs(policy);
  return units < 0 ? { allowed: false, bucket } : { allowed: true, bucket: { ...bucket, units } };
}

/** Milliseconds until the bucket has `cost` tokens: 0 if it has them, infinite if it can never hold so many. */
export function waitFor(bucket: Bucket, policy: Policy, cost: number, now: number): number {
  if (cost > policy.capacity) return Number.POSITIVE_INFINITY;
  // No more is owed in the end (`refill`).
  const missing = cost * periodMs(policy) - Math.max(bucket.units, -fullUnits(policy));
  return missing <= 0 ? 0 : Math.max(bucket.at - now, 0) + Math.ceil(missing / policy.capacity);
}

/** Whole tokens in the bucket. */
export function tokens(bucket: Bucket, policy: Policy): number {
  return Math.max(Math.floor(bucket.units / periodMs(policy)), 0);
}

/** The same tokens under another policy. Those over its capacity are lost. */
export function adapt(bucket: Bucket, from: Policy, to: Policy): Bucket {
  const scale = periodMs(to) / periodMs(from);
  return { units: Math.min(Math.floor(bucket.units * scale), fullUnits(to)), at: bucket.at };
}

/**
 * How many tokens to write down ahead for a caller who used `used` tokens in the `elapsedMs` since the last write: as
 * many as it would use in the time after which an idle object is evicted, and at least as many as refill in that time.
 * So a caller whose object was evicted because it is slow has lost nothing: they have refilled.
 */
export function reserveFor(used: number, elapsedMs: number, policy: Policy): number {
  const expected = (used * IDLE_MS) / Math.max(elapsedMs, 1);
  const refilled = (policy.capacity * IDLE_MS) / periodMs(policy);
  const wanted = Math.max(Math.min(expected, used * RESERVE_GROWTH, MAX_RESERVE), refilled);
  return Math.floor(Math.min(wanted, policy.capacity / RESERVE_SHARE));
}

/**
 * The bucket to store, so that the next admissions need no write: as if the tokens of the reserve were used already. So
 * a crash never gives tokens back.
 */
export function reserve(bucket: Bucket, policy: Policy, reserved: number): Bucket {
  return { ...bucket, units: bucket.units - reserved * periodMs(policy) };
}

/** The bucket with tokens that were taken out and not used. */
export function giveBack(bucket: Bucket, policy: Policy, unused: number): Bucket {
  return { ...bucket, units: Math.min(bucket.units + unused * periodMs(policy), fullUnits(policy)) };
}

/** Whether a stored bucket never has more than the real one, from now on, under policies not below its own. */
export function covers(written: RefillingBucket, real: Bucket, policy: Policy): boolean {
  return adapt(refill(written.bucket, written.policy, real.at), written.policy, policy).units <= real.units;
}

/** Whether a bucket under `low` never has more than one under `policy`. */
export function isBelow(low: Policy, policy: Policy): boolean {
  const isSlower = low.capacity * policy.periodSeconds <= policy.capacity * low.periodSeconds;
  return low.capacity <= policy.capacity && isSlower;
}

/** A policy below both: the smaller capacity, at the slower rate. */
export function lower(one: Policy, other: Policy): Policy {
  if (isBelow(one, other)) return one;
  if (isBelow(other, one)) return other;
  const [small, slow] = one.capacity < other.capacity ? [one, other] : [other, one];
  return {
    capacity: small.capacity,
    periodSeconds: Math.ceil((small.capacity * slow.periodSeconds) / slow.capacity),
  };
}
