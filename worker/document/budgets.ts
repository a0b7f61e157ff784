/**
 * How much a user may send to a document, over all of their sockets. A bucket is full again before an idle object falls
 * asleep, so none is lost with the memory.
 */
import { type Bucket, full, type Policy, refill, take } from "../objects/bucket.ts";
import { Memory } from "../objects/memory.ts";

/** A token is so many bytes, and a frame costs at least so many tokens. */
const TOKEN_BYTES = 64;
const LEAST_TOKENS = 4;
const PERIOD_SECONDS = 10;

export class Budgets {
  readonly #policy: Policy;
  readonly #users = new Memory<Bucket>();

  constructor(kibPer10Seconds: number) {
    const capacity = Math.min((kibPer10Seconds * 1_024) / TOKEN_BYTES, 1_000_000);
    this.#policy = { capacity, periodSeconds: PERIOD_SECONDS };
  }

  /** Takes a frame out of a user's budget. A frame over the whole budget passes if the budget is full. */
  spend(userId: string, bytes: number, now: number): boolean {
    const policy = this.#policy;
    const cost = Math.min(Math.max(Math.ceil(bytes / TOKEN_BYTES), LEAST_TOKENS), policy.capacity);
    const taken = take(refill(this.#users.get(userId, now) ?? full(policy, now), policy, now), policy, cost);
    this.#users.set(userId, taken.bucket, now + PERIOD_SECONDS * 1_000);
    return taken.allowed;
  }
}
