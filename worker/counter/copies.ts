/**
 * The copies of a count that its object sends to KV (copy.ts), one at a time, and only while somebody reads them: a
 * read that finds no copy asks the object, which then sends copies for an hour. Other counters cost no KV write and no
 * alarm.
 */
import { within } from "../objects/deadline.ts";
import type { Wake } from "../objects/wake.ts";
import { type Copy, writeCopy } from "./copy.ts";

/** The least time between two copies: KV takes one write a second per key, and bills each. */
const INTERVAL_MS = 5_000;
/** How long copies are wanted after a read that found none. */
const WANTED_FOR_MS = 60 * 60 * 1000;
/** The object writes down at most this often that they are wanted. */
const WANTED_STEP_MS = 60_000;
/** How long KV may take to store a copy: a deletion waits for it. */
const KV_MS = 10_000;

interface Options {
  readonly kv: KVNamespace;
  readonly id: DurableObjectId;
  readonly wake: Wake;
}

export class Copies {
  readonly #options: Options;
  /** Copies are wanted until then (ms since the epoch). */
  #until = 0;
  #last: Copy | undefined;
  /** When a copy was sent last, whether or not KV took it (ms since the epoch). */
  #sentAt = Number.NEGATIVE_INFINITY;
  #sending: Promise<void> | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Goes on after a sleep: copies are wanted until `until` (ms since the epoch). */
  resume(until: number): void {
    this.#until = until;
  }

  isWanted(now: number): boolean {
    return now < this.#until;
  }

  /** Somebody reads copies. Returns until when they are wanted from now on, if that is to be written down. */
  want(now: number): number | undefined {
    if (this.#until >= now + WANTED_FOR_MS - WANTED_STEP_MS) return undefined;
    this.#until = now + WANTED_FOR_MS;
    return this.#until;
  }

  /** The count has changed: the object wakes for the next copy, if one is wanted. */
  changed(now: number): void {
    if (this.isWanted(now)) this.#options.wake.by(this.#next(now));
  }

  /** Sends a copy if one may go now. Readers that come together share the first one's. */
  async send(copy: Copy): Promise<void> {
    if (this.#sending === undefined && this.#next(copy.asOf) <= copy.asOf) await this.#send(copy);
  }

  /** Sends a copy that is wanted and new, or lets the object wake when it may go. */
  async renew(copy: Copy): Promise<void> {
    const { count, asOf } = copy;
    if (!this.isWanted(asOf) || count === this.#last?.count) return;
    const due = this.#sending === undefined ? this.#next(asOf) : asOf + INTERVAL_MS;
    if (due > asOf) this.#options.wake.by(due);
    else await this.#send(copy);
  }

  /** The runtime retries an alarm only six times, and what failed may be down for longer: so this sets a new one. */
  failed(now: number, error: unknown): void {
    console.warn(JSON.stringify({ class: "counter", event: "publish-failed", error: String(error) }));
    if (this.isWanted(now)) this.#options.wake.by(now + INTERVAL_MS);
  }

  /** None is wanted any more. Deletes the one in KV, and what is on its way there: it could come late, and stay. */
  async clear(): Promise<void> {
    const { kv, id } = this.#options;
    while (this.isWanted(Date.now()) || this.#sending) {
      await this.#sending;
      this.#until = 0;
      if (id.name !== undefined) await within(KV_MS, kv.delete(id.name));
    }
    this.#last = undefined;
  }

  /** When the next copy may go (ms since the epoch): `now`, or a while after the last one. */
  #next(now: number): number {
    // If the clock went back since then, do not wait for that time.
    return this.#sentAt > now ? now : Math.max(now, this.#sentAt + INTERVAL_MS);
  }

  /** Call it only if no other copy is on its way. */
  async #send(copy: Copy): Promise<void> {
    this.#sending = this.#write(copy);
    await this.#sending;
    this.#sending = undefined;
  }

  async #write(copy: Copy): Promise<void> {
    const { kv, id } = this.#options;
    this.#sentAt = copy.asOf;
    try {
      await within(KV_MS, writeCopy(kv, id, copy, this.#until));
      this.#last = copy;
    } catch (error) {
      this.failed(copy.asOf, error);
    }
  }
}
