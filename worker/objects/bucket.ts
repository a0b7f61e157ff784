/**
 * The token bucket: pure arithmetic, exact to the millisecond.
 *
 * Whatever sequence of times, costs and policies it is given, it admits at most what the bucket held plus what time
 * has refilled. All sums are of whole numbers below 2^53, so many small refills are one big one, to the last unit.
 */

/** How much a bucket holds, and how fast it fills. */
export interface Policy {
  /** Tokens in a full bucket: a whole number from 1 to 1,000,000. */
  readonly capacity: number;
  /** Seconds in which an empty bucket fills up: a whole number from 1 to 86,400. */
  readonly periodSeconds: number;
}

/** What is in a bucket at a moment. */
export interface Bucket {
  /**
   * Tokens, times the milliseconds of the policy's period: a unit in which refilling adds `capacity` per millisecond.
   * Negative where tokens were promised ahead (see `reserve`).
   */
  readonly units: number;
  /** Milliseconds of Unix time up to which the refill is counted; ahead of a clock that went back: none until then. */
  readonly at: number;
}

/** A bucket written down, and the policy by which it fills until it is read. */
export interface Written {
  readonly bucket: Bucket;
  readonly policy: Policy;
}

/** What came of asking for tokens. */
export interface Taken {
  readonly allowed: boolean;
  /** The bucket afterwards; a denial takes nothing. */
  readonly bucket: Bucket;
}

const MS_PER_SECOND = 1_000;
/** A lease is at most a fifth of the capacity: what a crash may cost a caller, against one row in some twenty checks. */
const LEASE_SHARE = 5;
/** Tokens. A larger lease saves hardly a row more. */
const MAX_LEASE = 100;
/** Times the tokens used since the last write: so that a burst needs few writes, and a few calls lose few tokens. */
const LEASE_GROWTH = 4;
/** An object idle for so long is evicted ("Lifecycle of a Durable Object"), and what is left of its lease is lost. */
const IDLE_MS = 10_000;

const periodMs = ({ periodSeconds }: Policy) => periodSeconds * MS_PER_SECOND;
const fullUnits = (policy: Policy) => policy.capacity * periodMs(policy);

/** A full bucket. */
export function full(policy: Policy, now: number): Bucket {
  return { units: fullUnits(policy), at: now };
}

/** The bucket as of `now`. A clock that went back adds nothing. */
export function refill(bucket: Bucket, policy: Policy, now: number): Bucket {
  const elapsed = now - bucket.at;
  if (elapsed <= 0) {
    // A step of more than a period back: the earlier reading was wrong, and waiting for it could take for ever.
    return -elapsed > periodMs(policy) ? { units: bucket.units, at: now } : bucket;
  }
  // Two periods fill any bucket, whatever was promised ahead; more would only make the product inexact.
  const added = Math.min(elapsed, 2 * periodMs(policy)) * policy.capacity;
  return { units: Math.min(bucket.units + added, fullUnits(policy)), at: now };
}

/** Takes `cost` tokens from a bucket that was refilled to now, all of them or none. */
export function take(bucket: Bucket, policy: Policy, cost: number): Taken {
  const units = bucket.units - cost * periodMs(policy);
  return units < 0 ? { allowed: false, bucket } : { allowed: true, bucket: { ...bucket, units } };
}

/** Milliseconds until `cost` tokens are there: 0 if they are, infinite if the bucket can never hold so many. */
export function waitFor(bucket: Bucket, policy: Policy, cost: number, now: number): number {
  if (cost > policy.capacity) return Number.POSITIVE_INFINITY;
  const missing = cost * periodMs(policy) - bucket.units;
  return missing <= 0 ? 0 : Math.max(bucket.at - now, 0) + Math.ceil(missing / policy.capacity);
}

/** Whole tokens in the bucket. */
export function tokens(bucket: Bucket, policy: Policy): number {
  return Math.max(Math.floor(bucket.units / periodMs(policy)), 0);
}

/** The same tokens under another policy; those over its capacity are gone. */
export function adapt(bucket: Bucket, from: Policy, to: Policy): Bucket {
  const scale = periodMs(to) / periodMs(from);
  return { units: Math.min(Math.floor(bucket.units * scale), fullUnits(to)), at: bucket.at };
}

/**
 * How many tokens to lease to a caller who used `used` of them in the `elapsedMs` since the last write: what it would
 * use until its object would be evicted, were it idle. None for a caller slower than that, so that the eviction to come
 * costs it nothing.
 */
export function leaseFor(used: number, elapsedMs: number, policy: Policy): number {
  const expected = (used * IDLE_MS) / Math.max(elapsedMs, 1);
  return Math.floor(Math.min(expected, used * LEASE_GROWTH, policy.capacity / LEASE_SHARE, MAX_LEASE));
}

/**
 * The bucket to write down, so that admissions to come need no write: as if the tokens of the lease were used already.
 * What is read back after a crash is therefore never more than there was.
 */
export function reserve(bucket: Bucket, policy: Policy, lease: number): Bucket {
  return { ...bucket, units: bucket.units - lease * periodMs(policy) };
}

/** Whether a bucket written down promises no more than the real one holds, from now on under policies not below its own. */
export function covers(written: Written, real: Bucket, policy: Policy): boolean {
  return adapt(refill(written.bucket, written.policy, real.at), written.policy, policy).units <= real.units;
}

/** Whether what fills by `low` never has more than what fills by `policy`. */
export function isBelow(low: Policy, policy: Policy): boolean {
  const isSlower = low.capacity * policy.periodSeconds <= policy.capacity * low.periodSeconds;
  return low.capacity <= policy.capacity && isSlower;
}

/** The policy below both: of the smaller capacity, at the slower rate. */
export function lower(one: Policy, other: Policy): Policy {
  if (isBelow(one, other)) return one;
  if (isBelow(other, one)) return other;
  const [small, slow] = one.capacity < other.capacity ? [one, other] : [other, one];
  return {
    capacity: small.capacity,
    periodSeconds: Math.ceil((small.capacity * slow.periodSeconds) / slow.capacity),
  };
}
