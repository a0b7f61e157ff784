/**
 * Transfers that are on their way to other ledgers. Each other ledger gets one call at a time, with all that has come
 * together since the last one. A call that fails is made again after a while; so is one that a crash has cut off, by the
 * object's alarm. The other ledger takes each number once (across.ts).
 */
import type { Wake } from "../objects/wake.ts";
import { type Parcel, type Send, settleSends, type Taken } from "./across.ts";
import type { Currency } from "./book.ts";
import type { Draft } from "./draft.ts";
import type { Outgoing } from "./payments.ts";
import { peerOf, type Transaction } from "./rules.ts";

/** A crash leaves no timer behind, so the alarm looks so long after a transfer whether it has arrived. */
const LOOK_AFTER_MS = 10_000;
/** A ledger that cannot be reached is tried again after 10 s, then after twice as long each time. */
const MAX_WAIT_MS = 15 * 60_000;
/** The most transfers in one call. */
const MAX_PARCEL = 500;

interface Parts {
  /** The transfers without an answer, as they are stored. */
  readonly stored: () => readonly Transaction[];
  readonly currency: () => Currency | undefined;
  /** This ledger, such as `eu~main`. */
  readonly self: () => string;
  /** Calls another ledger. @throws Error if it cannot be reached, or its region is gone. */
  readonly call: (ledger: string, parcel: Parcel) => Promise<readonly Taken[]>;
  readonly change: (decide: (draft: Draft) => void) => Promise<void>;
  readonly wake: Wake;
  /** Keeps the object alive until the work is done. */
  readonly waitUntil: (work: Promise<void>) => void;
}

export class Outbox implements Outgoing {
  readonly #parts: Parts;
  /** By ledger, in the order of their numbers; undefined until they were read. */
  #open: Map<string, Send[]> | undefined;
  /** Ledgers that are being called. */
  readonly #calling = new Set<string>();
  readonly #failures = new Map<string, number>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  due(now: number): number {
    return now + LOOK_AFTER_MS;
  }

  sent(transfers: readonly Transaction[]): void {
    // What is read now has these in it already.
    const isRead = this.#open !== undefined;
    const open = this.#read();
    if (isRead) for (const transfer of transfers) add(open, transfer);
    this.#parts.waitUntil(this.flush());
  }

  /** Forgets everything, after the ledger was deleted. */
  forget(): void {
    this.#open = undefined;
  }

  /** Tells every other ledger what is on its way to it. Whoever calls it sets the alarm if some is still on its way. */
  async flush(): Promise<void> {
    await Promise.all([...this.#read().keys()].map((ledger) => this.#send(ledger)));
  }

  /** How many transfers are on their way. */
  get size(): number {
    return [...this.#read().values()].reduce((sum, sends) => sum + sends.length, 0);
  }

  /** The lowest number of a transfer that is on its way. */
  get oldest(): number | undefined {
    const [first, ...others] = [...this.#read().values()].flatMap(([one]) => one?.seq ?? []);
    return first === undefined ? undefined : Math.min(first, ...others);
  }

  #read(): Map<string, Send[]> {
    if (this.#open === undefined) {
      this.#open = new Map();
      for (const transfer of this.#parts.stored()) add(this.#open, transfer);
    }
    return this.#open;
  }

  async #send(ledger: string): Promise<void> {
    if (this.#calling.has(ledger)) return;
    this.#calling.add(ledger);
    try {
      for (;;) {
        const sends = this.#read().get(ledger)?.slice(0, MAX_PARCEL) ?? [];
        if (sends.length === 0) return;
        const parcel = { from: this.#parts.self(), currency: this.#parts.currency(), sends };
        const answers = await this.#parts.call(ledger, parcel);
        await this.#parts.change((draft) => settleSends(draft, ledger, sends, answers));
        this.#settled(ledger, sends.length);
        this.#failures.delete(ledger);
      }
    } catch (error) {
      const failures = (this.#failures.get(ledger) ?? 0) + 1;
      this.#failures.set(ledger, failures);
      console.error(`Transfers to the ledger ${ledger} wait: it did not answer ${failures} times. ${error}`);
      const wait = Math.min(LOOK_AFTER_MS * 2 ** (failures - 1), MAX_WAIT_MS);
      await this.#parts.wake.look();
      this.#parts.wake.by(Date.now() + wait * (0.5 + Math.random() / 2));
    } finally {
      this.#calling.delete(ledger);
    }
  }

  #settled(ledger: string, count: number): void {
    const open = this.#read();
    const left = open.get(ledger)?.slice(count) ?? [];
    if (left.length > 0) open.set(ledger, left);
    else open.delete(ledger);
  }
}

function add(open: Map<string, Send[]>, { seq, payee: peer, payer, target = "", amount, memo }: Transaction): void {
  const ledger = peerOf(peer);
  if (ledger === undefined) return;
  const sends = open.get(ledger) ?? [];
  sends.push({ seq, payer, payee: target, amount, ...(memo !== undefined && { memo }) });
  open.set(ledger, sends);
}
