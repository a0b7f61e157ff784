/**
 * Denials that an isolate remembers, so that a flood ends in the Worker and does not reach the object.
 *
 * A denied cost stays too high until the time that the object gave, and a higher cost stays too high for longer: only
 * time adds tokens to a bucket, and what comes back from leases. So where there are leases, a denial is remembered for as
 * long as one of them lasts, and then the object decides again. An admission takes tokens, so it ends the denials before
 * it; a lease that is asked for ahead (cost 0) does not. Others may take tokens meanwhile, so a remembered denial says
 * that none is left.
 */
import { FOUND_MS, type Policy } from "../objects/bucket.ts";
import { Memory } from "../objects/memory.ts";
import { LEASE_MS, mostHeld } from "./holds.ts";
import { hasLeases } from "./leases.ts";
import type { Verdict } from "./verdict.ts";

interface Denial {
  cost: number;
  /** When the object was asked last. */
  since: number;
  until: number;
  /** Whether the object was asked how long a wait over FOUND_MS is. Then it has stored what the wait depends on. */
  isLasting: boolean;
}

/** An answer of the object. */
export interface Answered {
  readonly cost: number;
  readonly verdict: Verdict;
}

export class RememberedDenials {
  readonly #denials = new Memory<Denial>();

  /** The verdict that the object would give; undefined if that is not known. */
  answer(name: string, policy: Policy, cost: number, now: number): Verdict | undefined {
    const denial = this.#denials.get(name, now);
    // The clock went back since the denial, so the object has to decide.
    if (!denial || cost < denial.cost || now < denial.since) return undefined;
    // How long there is no room for so many, beside what isolates hold, only the object knows.
    if (cost > denial.cost && hasLeases(policy) && cost > policy.capacity - mostHeld(policy.capacity)) return undefined;
    const longer = Math.ceil(((cost - denial.cost) * policy.periodSeconds * 1_000) / policy.capacity);
    const until = denial.until + longer;
    // An object that nobody asked since is evicted then, and may have stored less than it had when it told the shorter wait.
    if (longer > 0 && until - denial.since >= FOUND_MS && !denial.isLasting) return undefined;
    return { allowed: false, remaining: 0, waitMs: until - now };
  }

  /** Remembers a denial, or forgets it. If several costs were denied, the lowest counts, because its wait ends first. */
  remember(name: string, policy: Policy, { cost, verdict }: Answered, now: number): void {
    if (verdict.allowed) {
      if (cost > 0) this.#denials.delete(name);
      return;
    }
    const known = this.#denials.get(name, now);
    const isLasting = verdict.waitMs >= FOUND_MS || known?.isLasting === true;
    if (known && known.cost <= cost && known.since <= now) {
      Object.assign(known, { since: now, isLasting });
      return;
    }
    const until = now + verdict.waitMs;
    const forgotten = hasLeases(policy) ? Math.min(until, now + LEASE_MS) : until;
    this.#denials.set(name, { cost, since: now, until, isLasting }, forgotten);
  }
}
