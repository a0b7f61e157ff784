/**
 * How an isolate of the Worker takes from buckets: by a denial that it remembers, by a lease, or by a call to the bucket's
 * object. What it holds of a lease when the time of that is over goes back.
 */
import type { Policy } from "../objects/bucket.ts";
import { type Ask, type Ended, LEASE_MS } from "./holds.ts";
import { Leases } from "./leases.ts";
import { RememberedDenials } from "./remembered-denials.ts";
import type { Verdict } from "./verdict.ts";

/** A bucket, by the name of its object. */
export interface Named {
  readonly name: string;
  readonly policy: Policy;
}

/** What an isolate needs of its surroundings. */
export interface Surroundings<Bucket extends Named> {
  /** The isolate's clock (ms since the epoch). */
  now(): number;
  /** Takes tokens from the object, and a lease if one is asked for. Undefined if it does not answer. */
  call(bucket: Bucket, cost: number, ask: Ask | undefined): Promise<Verdict | undefined>;
  /** Gives back to the object what was not used of a lease. */
  giveBack(bucket: Bucket, ended: Ended): Promise<void>;
  /** Does `work` after `ms` milliseconds, at once for 0. Nobody waits for it. */
  later(ms: number, work: () => Promise<unknown>): void;
}

export class Isolate<Bucket extends Named> {
  readonly #around: Surroundings<Bucket>;
  readonly #denials = new RememberedDenials();
  readonly #leases = new Leases();

  constructor(around: Surroundings<Bucket>) {
    this.#around = around;
  }

  /** Takes `cost` tokens. Undefined if the object has to decide, and does not answer. */
  async take(bucket: Bucket, cost: number): Promise<Verdict | undefined> {
    const { name, policy } = bucket;
    const now = this.#around.now();
    const known = this.#denials.answer(name, policy, cost, now);
    if (known) return known;
    const { verdict, ask } = this.#leases.spend(name, policy, cost, now);
    if (!verdict) return this.#call(bucket, cost, ask, now);
    // Asked for before it is needed, so that nobody waits for it.
    if (ask) this.#around.later(0, () => this.#call(bucket, 0, ask, now));
    return verdict;
  }

  async #call(bucket: Bucket, cost: number, ask: Ask | undefined, askedAt: number): Promise<Verdict | undefined> {
    const { name, policy } = bucket;
    const verdict = await this.#around.call(bucket, cost, ask);
    const now = this.#around.now();
    if (verdict) this.#denials.remember(name, policy, { cost, verdict }, now);
    if (!ask) return verdict;
    if (!verdict) {
      this.#leases.failed(name, policy, now);
      return undefined;
    }
    const { leased = 0, ...rest } = verdict;
    this.#leases.granted(name, policy, ask, { tokens: leased, askedAt, now });
    if (leased > 0) this.#around.later(LEASE_MS, () => this.#giveBack(bucket, ask.id));
    return rest;
  }

  /** Gives back what is left of a lease, because its time is over. If that fails, the caller loses it. */
  async #giveBack(bucket: Bucket, id: string): Promise<void> {
    const unused = this.#leases.end(bucket.name, bucket.policy, id, this.#around.now());
    if (unused > 0) await this.#around.giveBack(bucket, { id, unused }).catch(() => undefined);
  }
}
