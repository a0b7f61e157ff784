/**
 * Transfers that are on their way to other ledgers. Each other ledger gets one call at a time, with all that has come
 * together since the last one. One that does not answer is left alone for a while, and then called by the object's
 * alarm; so is one whose call a crash has cut off. The other ledger takes each number once (across.ts).
 */
import { type Parcel, type Send, settleSends, type Taken } from "./across.ts";
import type { Currency } from "./book.ts";
import type { Draft } from "./draft.ts";
import type { Outgoing } from "./payments.ts";
import { peerOf, type Transaction } from "./rules.ts";

/** A crash leaves no timer behind, so the alarm looks so long after a transfer whether it has arrived. */
const LOOK_AFTER_MS = 10_000;
/** A ledger that does not answer is called again after 10 s, then after twice as long each time. */
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
  readonly change: <T extends object>(decide: (draft: Draft) => T) => Promise<T>;
  /** Keeps the object alive until the work is done. */
  readonly waitUntil: (work: Promise<void>) => void;
}

/** Another ledger, and what is on its way to it, in the order of their numbers. */
interface Peer {
  sends: Send[];
  isCalled: boolean;
  /** Calls in a row without an answer, and until when it is left alone (ms since the epoch). */
  failures: number;
  notBefore: number;
}

export class Outbox implements Outgoing {
  readonly #parts: Parts;
  /** By ledger; undefined until they were read. */
  #peers: Map<string, Peer> | undefined;
  /** The lowest number that is not durable yet. */
  #notDurable = Number.POSITIVE_INFINITY;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  due(now: number): number {
    return now + LOOK_AFTER_MS;
  }

  booked(transfers: readonly Transaction[]): void {
    for (const { seq } of transfers) this.#notDurable = Math.min(this.#notDurable, seq);
    // What is read later has these in it.
    if (this.#peers) for (const transfer of transfers) add(this.#peers, transfer);
  }

  get hasBooked(): boolean {
    return this.#notDurable < Number.POSITIVE_INFINITY;
  }

  durable(): void {
    this.#notDurable = Number.POSITIVE_INFINITY;
    this.#parts.waitUntil(this.flush());
  }

  /** Forgets everything, after the ledger was deleted. */
  forget(): void {
    this.#peers = undefined;
  }

  /** Calls every other ledger that something is on its way to, but for those that are left alone for now. */
  async flush(): Promise<void> {
    await Promise.all([...this.#read()].map(([ledger, peer]) => this.#deliver(ledger, peer)));
  }

  /** When to call `flush` again (ms since the epoch); undefined if nothing is on its way. */
  next(now: number): number | undefined {
    const times = this.#waiting().map(({ notBefore }) => Math.max(notBefore, now + LOOK_AFTER_MS));
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** How many transfers are on their way. */
  get size(): number {
    return this.#waiting().reduce((sum, { sends }) => sum + sends.length, 0);
  }

  /** The lowest number of a transfer that is on its way; infinite if there is none. */
  get oldest(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.#waiting().flatMap(({ sends: [first] }) => first?.seq ?? []));
  }

  #read(): Map<string, Peer> {
    if (this.#peers === undefined) {
      this.#peers = new Map();
      for (const transfer of this.#parts.stored()) add(this.#peers, transfer);
    }
    return this.#peers;
  }

  #waiting(): readonly Peer[] {
    return [...this.#read().values()].filter(({ sends }) => sends.length > 0);
  }

  async #deliver(ledger: string, peer: Peer): Promise<void> {
    if (peer.isCalled || Date.now() < peer.notBefore) return;
    peer.isCalled = true;
    try {
      while (await this.#deliverSome(ledger, peer));
    } finally {
      peer.isCalled = false;
      // Every payment looks at all that are here.
      if (peer.sends.length === 0 && this.#peers?.get(ledger) === peer) this.#peers.delete(ledger);
    }
  }

  /** Makes one call. False if there is nothing more to do for now. */
  async #deliverSome(ledger: string, peer: Peer): Promise<boolean> {
    const sends = peer.sends.filter(({ seq }) => seq < this.#notDurable).slice(0, MAX_PARCEL);
    if (sends.length === 0) return false;
    const parcel = { from: this.#parts.self(), currency: this.#parts.currency(), sends };
    try {
      const answers = await this.#parts.call(ledger, parcel);
      const { settled } = await this.#parts.change((draft) => settleSends(draft, ledger, sends, answers));
      peer.sends = peer.sends.filter(({ seq }) => !settled.has(seq));
      peer.failures = 0;
      if (settled.size === sends.length) return true;
      throw new Error(`${sends.length - settled.size} were refused, and their payers cannot take them back`);
    } catch (error) {
      peer.failures++;
      const wait = Math.min(LOOK_AFTER_MS * 2 ** (peer.failures - 1), MAX_WAIT_MS);
      peer.notBefore = Date.now() + wait * (0.5 + Math.random() / 2);
      console.error(`Transfers to the ledger ${ledger} wait, after ${peer.failures} tries in a row: ${error}`);
      return false;
    }
  }
}

function add(peers: Map<string, Peer>, { seq, payee: account, payer, target = "", amount, memo }: Transaction): void {
  const ledger = peerOf(account);
  if (ledger === undefined) return;
  const peer = peers.get(ledger) ?? { sends: [], isCalled: false, failures: 0, notBefore: 0 };
  peer.sends.push({ seq, payer, payee: target, amount, ...(memo !== undefined && { memo }) });
  peers.set(ledger, peer);
}
