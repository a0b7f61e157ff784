/**
 * Denials that an isolate remembers, so that a flood ends in the Worker and does not reach the object.
 *
 * It never denies what the object would allow: only time adds tokens to a bucket. So a denied cost stays too high until
 * the time that the object gave, and a higher cost stays too high for longer.
 */
import type { Policy } from "../objects/bucket.ts";
import { Memory } from "../objects/memory.ts";
import type { Verdict } from "./verdict.ts";

interface Denial {
  cost: number;
  remaining: number;
  since: number;
  until: number;
}

export class Denials {
  readonly #denials = new Memory<Denial>();

  /** The verdict that the object would give; undefined if that is not known. */
  answer(name: string, policy: Policy, cost: number, now: number): Verdict | undefined {
    const denial = this.#denials.get(name, now);
    // The clock went back since the denial, so the object has to decide.
    if (!denial || cost < denial.cost || now < denial.since) return undefined;
    const longer = Math.ceil(((cost - denial.cost) * policy.periodSeconds * 1_000) / policy.capacity);
    return { allowed: false, remaining: denial.remaining, waitMs: denial.until - now + longer };
  }

  /** Remembers a denial. If several costs were denied, the lowest, because its wait ends first. */
  remember(name: string, cost: number, verdict: Verdict, now: number): void {
    const known = this.#denials.get(name, now);
    if (verdict.allowed || (known && known.cost <= cost && known.since <= now)) return;
    const until = now + verdict.waitMs;
    this.#denials.set(name, { cost, remaining: verdict.remaining, since: now, until }, until);
  }
}
