/**
 * One bucket of the rate limiter. However many Workers ask at once, it admits no more than its policy allows, even
 * after evictions and crashes.
 *
 * The real bucket is in memory. The stored bucket has fewer tokens (`reserve`). When it has too few for an admission, a
 * new one is written first, and the output gate holds the answer until the write is durable. So most checks of a busy
 * caller write nothing, denials never write, and a crash can only cost tokens. A slow caller, whose object is evicted
 * between its calls, has no lease to lose. A bucket that is full again deletes itself.
 *
 * While a change of the limit rolls out, calls come with the old policy and with the new one. The stored bucket fills
 * by the lower of the two, so it is safe for both, and switching between them writes nothing.
 */
import { DurableObject } from "cloudflare:workers";
import {
  adapt,
  type Bucket,
  covers,
  full,
  isBelow,
  leaseFor,
  lower,
  type Policy,
  refill,
  reserve,
  take,
  tokens,
  type Written,
  waitFor,
} from "../objects/bucket.ts";

/** The limiter's answer. */
export interface Verdict {
  allowed: boolean;
  /** Whole tokens left. */
  remaining: number;
  /** After a denial, milliseconds until the cost fits; else until the next token, or 0 if the bucket is full. */
  waitMs: number;
}

/** The stored bucket. One key in KV, because a table's schema would double the rows of a short-lived bucket. */
interface Row extends Written {
  /** When the alarm checks whether the bucket can be deleted. */
  alarmAt: number;
}

const KEY = "bucket";
/** Rare enough to cost almost nothing, soon enough that old buckets do not pile up. */
const CLEAN_UP_AFTER_MS = 3_600_000;

export class RateLimiterDO extends DurableObject<Env> {
  #written: Row | undefined;
  #policy: Policy | undefined;
  #bucket: Bucket | undefined;
  /** A policy below all that came since the last write. */
  #lowest: Policy | undefined;
  /** Tokens taken since the last write, and when that was. The size of the next lease depends on both. */
  #used = 0;
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#written = ctx.storage.kv.get<Row>(KEY);
    this.#policy = this.#written?.policy;
    this.#bucket = this.#written?.bucket;
  }

  /** Takes `cost` tokens (a whole number from 1 to the capacity), or says how long to wait for them. */
  take(policy: Policy, cost: number): Verdict {
    const now = Date.now();
    const taken = take(this.#now(policy, now), policy, cost);
    this.#bucket = taken.bucket;
    if (taken.allowed) {
      this.#used += cost;
      if (!this.#written || !covers(this.#written, taken.bucket, policy)) {
        const lease = leaseFor(this.#used, now - this.#writtenAt, policy);
        this.#write(reserve(taken.bucket, policy, lease), policy, now);
      }
    }
    return verdict(taken.bucket, { policy, cost, now }, taken.allowed);
  }

  /** The verdict of `take`, without taking anything. */
  peek(policy: Policy, cost: number): Verdict {
    const now = Date.now();
    const bucket = this.#now(policy, now);
    return verdict(bucket, { policy, cost, now }, waitFor(bucket, policy, cost, now) === 0);
  }

  /** Deletes a full bucket, since no bucket means a full one; else comes again. May run early, late or twice. */
  override async alarm(): Promise<void> {
    const row = this.#written;
    this.#written = undefined;
    const now = Date.now();
    if (row && waitFor(refill(row.bucket, row.policy, now), row.policy, row.policy.capacity, now) > 0) {
      return this.#write(row.bucket, row.policy, now);
    }
    this.#policy = this.#lowest = this.#bucket = undefined;
    await this.ctx.storage.deleteAll();
  }

  /** The real bucket as of now, under this policy. */
  #now(policy: Policy, now: number): Bucket {
    if (this.#bucket && this.#policy) {
      if (samePolicy(this.#policy, policy)) return refill(this.#bucket, policy, now);
      const adapted = refill(adapt(refill(this.#bucket, this.#policy, now), this.#policy, policy), policy, now);
      this.#policy = policy;
      this.#bucket = adapted;
      this.#lowest = lower(this.#lowest ?? policy, policy);
      // The stored bucket may fill faster than this policy allows.
      if (!this.#written || !isBelow(this.#written.policy, policy)) this.#write(adapted, policy, now);
      return adapted;
    }
    this.#policy = this.#lowest = policy;
    return full(policy, now);
  }

  #write(bucket: Bucket, policy: Policy, now: number): void {
    // The alarm is still set unless its time has passed: then it has run, or was lost.
    let alarmAt = this.#written?.alarmAt ?? 0;
    if (alarmAt <= now) {
      alarmAt = now + Math.max(CLEAN_UP_AFTER_MS, policy.periodSeconds * 1_000);
      this.ctx.storage.setAlarm(alarmAt);
    }
    const low = lower(this.#lowest ?? policy, policy);
    this.#written = { bucket: adapt(bucket, policy, low), policy: low, alarmAt };
    this.ctx.storage.kv.put(KEY, this.#written);
    this.#used = 0;
    this.#lowest = policy;
    this.#writtenAt = now;
  }
}

const samePolicy = (a: Policy, b: Policy) => a.capacity === b.capacity && a.periodSeconds === b.periodSeconds;

interface Asked {
  readonly policy: Policy;
  readonly cost: number;
  readonly now: number;
}

function verdict(bucket: Bucket, { policy, cost, now }: Asked, allowed: boolean): Verdict {
  const remaining = tokens(bucket, policy);
  const wanted = allowed ? Math.min(remaining + 1, policy.capacity) : cost;
  return { allowed, remaining, waitMs: waitFor(bucket, policy, wanted, now) };
}
