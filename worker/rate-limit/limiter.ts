/**
 * One bucket of the rate limiter. However many Workers ask at once, it admits no more than its policy allows, even
 * after evictions and crashes.
 *
 * The real bucket is in memory. The stored bucket has fewer tokens (`reserve`). When it has too few for an admission, a
 * new one is written first, and the output gate holds the answer until the write is durable. So most checks of a busy
 * caller write nothing, and a crash can only cost tokens. A slow caller, whose object is evicted between its calls, loses
 * nothing. A denial writes only if the caller would be denied again at the time that it is told, because of an eviction:
 * one row for all denials that follow one another. A bucket that is full again deletes itself.
 *
 * A Worker isolate in which a caller comes often gets a lease: tokens that it may give out by itself for a second
 * (leases.ts). They are taken out of the bucket first, and until the lease is over the bucket does not refill in their
 * place. So all isolates and the object together admit no more than the bucket would.
 *
 * While a change of the limit rolls out, calls come with the old policy and with the new one. The stored bucket fills
 * by the lower of the two, so it is safe for both, and switching between them writes nothing.
 */
import { DurableObject } from "cloudflare:workers";
import {
  adapt,
  type Bucket,
  covers,
  FOUND_MS,
  full,
  giveBack,
  IDLE_MS,
  isBelow,
  lower,
  type Policy,
  type RefillingBucket,
  refill,
  reserve,
  reserveFor,
  samePolicy,
  take,
  tokens,
  waitFor,
} from "../objects/bucket.ts";
import { Wake } from "../objects/wake.ts";
import { type Ask, type Ended, HOLD_MS, Holds, leaseSize, mostHeld } from "./holds.ts";
import { limit } from "./pattern.ts";
import { packed, type Verdict } from "./verdict.ts";

/** The stored bucket. One key in KV, because a table's schema would double the rows of a short-lived bucket. */
interface Row extends RefillingBucket {
  /** When the alarm checks whether the bucket can be deleted. */
  alarmAt: number;
  /** At most so many tokens are with isolates, up to this time. Missing if none are. */
  held?: { tokens: number; until: number };
}

const KEY = "bucket";
/** Rare enough to cost almost nothing, soon enough that old buckets do not pile up. */
const CLEAN_UP_AFTER_MS = 3_600_000;
/**
 * Who is told to come within `FOUND_MS`, and does, still finds the object. Who comes later may meet the stored bucket
 * alone, which lets them in after so long at most.
 */
const BEHIND_MS = 2 * IDLE_MS;

export class RateLimiterDO extends DurableObject<Env> {
  #written: Row | undefined;
  /** The real bucket, and the policy by which it refills. Undefined if the bucket is full. */
  #real: RefillingBucket | undefined;
  /** A policy below all that came since the last write. */
  #lowest: Policy | undefined;
  readonly #holds = new Holds();
  /** Tokens taken since the last write, and when that was. The size of the next reserve depends on both. */
  #used = 0;
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#written = ctx.storage.kv.get<Row>(KEY);
    this.#real = this.#written;
    const held = this.#written?.held;
    // Which leases there were is forgotten, so all that may be are one. If it is over, nothing has refilled in its place
    // until then.
    if (held) this.#holds.add("before", held.tokens, Math.min(held.until, Date.now() + HOLD_MS));
  }

  /**
   * Takes `cost` tokens (a whole number from 0 to the capacity), or says how long to wait for them. With `ask`, tokens
   * for the isolate as well, if they are there.
   */
  take(policy: Policy, cost: number, ask?: Ask): Verdict {
    const now = Date.now();
    const taken = take(this.#end(ask?.ended ?? [], this.#refilled(policy, now), policy), policy, cost);
    // If the answer to this ask was lost, and it comes again, its tokens are taken out already.
    const before = ask ? this.#holds.of(ask.id) : 0;
    const fresh = ask && taken.allowed && before === 0 ? this.#lease(ask, taken.bucket, policy, now) : 0;
    const leased = before + fresh;
    const { bucket } = take(taken.bucket, policy, fresh);
    this.#real = { bucket, policy };
    if (taken.allowed) {
      this.#used += cost + fresh;
      this.#cover(bucket, policy, now);
    }
    const asked = { policy, cost, now };
    const verdict = this.#verdict(asked, bucket, taken.allowed);
    if (!taken.allowed && this.#behindMs(asked, verdict) > 0) this.#write(bucket, policy, now);
    return { ...verdict, ...(leased > 0 && { leased }) };
  }

  /** `take` without a lease, with numbers both ways (verdict.ts). */
  takePacked(capacity: number, periodSeconds: number, cost: number): number {
    return packed(this.take({ capacity, periodSeconds }, cost));
  }

  /** Takes back what was not used of a lease. It may be of an older limit, by which the bucket must not refill again. */
  giveBack(leased: Policy, ended: Ended): void {
    const policy = this.#real?.policy ?? leased;
    this.#end([ended], this.#refilled(policy, Date.now()), policy);
  }

  /** The verdict of `take`, without taking or writing anything: whoever is to wait may wait for the stored bucket. */
  peek(policy: Policy, cost: number): Verdict {
    const now = Date.now();
    const bucket = this.#refilled(policy, now);
    const asked = { policy, cost, now };
    const verdict = this.#verdict(asked, bucket, waitFor(bucket, policy, cost, now) === 0);
    const behindMs = verdict.allowed ? 0 : this.#behindMs(asked, verdict);
    return { ...verdict, waitMs: Math.max(verdict.waitMs, behindMs) };
  }

  /** Deletes a full bucket, since no bucket means a full one; else comes again. May run early, late or twice. */
  override alarm(): Promise<void> {
    return new Wake(this.ctx.storage, limit.name).run(() => this.#cleanUp());
  }

  async #cleanUp(): Promise<void> {
    const now = Date.now();
    this.#followClock(now);
    const row = this.#written;
    if (
      row &&
      ((row.held?.until ?? 0) > now ||
        waitFor(refill(row.bucket, row.policy, now), row.policy, row.policy.capacity, now) > 0)
    ) {
      // The alarm has run. What isolates may hold stays in the row.
      this.#written = { ...row, alarmAt: 0 };
      return this.#write(row.bucket, row.policy, now);
    }
    this.#written = this.#real = this.#lowest = undefined;
    await this.ctx.storage.deleteAll();
  }

  /** Brings the real bucket up to now and under this policy, and returns it. */
  #refilled(policy: Policy, now: number): Bucket {
    this.#followClock(now);
    this.#holds.expire(now, this.#real?.policy ?? policy, (at, heldTokens) => this.#refill(at, heldTokens));
    this.#refill(now, this.#holds.tokens);
    if (!this.#real) {
      this.#lowest = policy;
      this.#real = { bucket: full(policy, now), policy };
    }
    if (!samePolicy(this.#real.policy, policy)) this.#real = this.#adapted(this.#real, policy, now);
    return this.#real.bucket;
  }

  /** A bucket under another policy. */
  #adapted({ bucket, policy: before }: RefillingBucket, policy: Policy, now: number): RefillingBucket {
    const adapted = refill(adapt(bucket, before, policy), policy, now, this.#holds.tokens);
    this.#lowest = lower(this.#lowest ?? policy, policy);
    // The stored bucket may fill faster than this policy allows.
    if (!this.#written || !isBelow(this.#written.policy, policy)) this.#write(adapted, policy, now);
    return { bucket: adapted, policy };
  }

  #refill(now: number, heldTokens: number): void {
    if (!this.#real) return;
    const { bucket, policy } = this.#real;
    this.#real = { bucket: refill(bucket, policy, now, heldTokens), policy };
  }

  /**
   * If the clock went back by more than a period, the stored bucket refills from now on, like the one in memory
   * (`refill`). Else each eviction would take back what has refilled since, until the earlier time.
   */
  #followClock(now: number): void {
    const row = this.#written;
    if (!row || row.bucket.at - now <= row.policy.periodSeconds * 1_000) return;
    const held = row.held && { ...row.held, until: Math.min(row.held.until, now + IDLE_MS + HOLD_MS) };
    this.#written = { bucket: row.bucket, policy: row.policy, alarmAt: 0, ...(held && { held }) };
    this.#write({ ...row.bucket, at: now }, row.policy, now);
  }

  /** The bucket with what comes back from leases. */
  #end(ended: readonly Ended[], bucket: Bucket, policy: Policy): Bucket {
    const unused = ended.reduce((sum, one) => sum + this.#holds.end(one), 0);
    const more = giveBack(bucket, policy, unused);
    this.#real = { bucket: more, policy };
    return more;
  }

  /** Notes a lease, and returns its tokens: 0 if there is none. */
  #lease({ id, tokens: wanted }: Ask, bucket: Bucket, policy: Policy, now: number): number {
    const most = Math.min(mostHeld(policy.capacity), this.#written?.held?.tokens ?? Number.POSITIVE_INFINITY);
    const size = leaseSize(wanted, tokens(bucket, policy), most - this.#holds.tokens);
    if (size > 0) this.#holds.add(id, size, now + HOLD_MS);
    return size;
  }

  /**
   * How long the stored bucket has a caller wait who waits as long as the verdict says and is denied again, because the
   * object was evicted meanwhile and the row has too little or fills by a lower policy. 0 if it lets them in. While calls
   * come with two policies, it has to fill by the lower one.
   */
  #behindMs({ policy, cost, now }: Asked, { waitMs }: Verdict): number {
    const row = this.#written;
    if (!row || !samePolicy(this.#lowest ?? policy, policy)) return 0;
    const stored = waitFor(refill(row.bucket, row.policy, now), row.policy, cost, now);
    return stored > (waitMs < FOUND_MS ? BEHIND_MS : waitMs) ? stored : 0;
  }

  #verdict({ policy, cost, now }: Asked, bucket: Bucket, allowed: boolean): Verdict {
    const remaining = tokens(bucket, policy);
    const wanted = allowed ? Math.min(remaining + 1, policy.capacity) : cost;
    // While isolates hold tokens the bucket may have no room for so many.
    const room = policy.capacity - this.#holds.tokens;
    const untilRoomMs = wanted > room ? this.#holds.waitMs(now) : 0;
    return { allowed, remaining, waitMs: untilRoomMs + waitFor(bucket, policy, wanted, now) };
  }

  /** Writes a bucket with a new reserve, if the stored one could have more than this one, or too few held tokens. */
  #cover(bucket: Bucket, policy: Policy, now: number): void {
    const row = this.#written;
    const isHeld = this.#holds.tokens === 0 || (row?.held?.until ?? 0) >= now + HOLD_MS;
    if (row && isHeld && covers(row, bucket, policy)) return;
    const reserved = reserveFor(this.#used, now - this.#writtenAt, policy);
    this.#write(reserve(bucket, policy, reserved), policy, now);
  }

  #write(bucket: Bucket, policy: Policy, now: number): void {
    // The alarm is still set unless its time has passed: then it has run, or was lost.
    let alarmAt = this.#written?.alarmAt ?? 0;
    if (alarmAt <= now) {
      alarmAt = now + Math.max(CLEAN_UP_AFTER_MS, policy.periodSeconds * 1_000);
      this.ctx.storage.setAlarm(alarmAt);
    }
    const low = lower(this.#lowest ?? policy, policy);
    const before = this.#written?.held;
    const tokens = Math.max(mostHeld(policy.capacity), this.#holds.tokens);
    const held = this.#holds.tokens > 0 ? { tokens, until: now + IDLE_MS + HOLD_MS } : before;
    this.#written = {
      bucket: adapt(bucket, policy, low),
      policy: low,
      alarmAt,
      ...(held && held.until > now && { held }),
    };
    this.ctx.storage.kv.put(KEY, this.#written);
    this.#used = 0;
    this.#lowest = policy;
    this.#writtenAt = now;
  }
}

interface Asked {
  readonly policy: Policy;
  readonly cost: number;
  readonly now: number;
}
