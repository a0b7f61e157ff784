/**
 * Changes that are decided and not written yet, on top of the stored ledger. What is decided later sees what was decided
 * before it. All of a draft is written in one transaction, or nothing.
 */
import { findReplay, keepReplay, replayOf } from "../objects/replays.ts";
import { hasTraded, writeAccount } from "./accounts.ts";
import { type Currency, readCurrency, writeCurrency } from "./book.ts";
import type { Books } from "./books.ts";
import {
  findHold,
  findReference,
  findRefusal,
  findSettled,
  type Hold,
  hasRefusalsBefore,
  postponeHold,
  removeHold,
  removeRefusals,
  writeAnswer,
  writeHold,
  writeReference,
  writeRefusal,
  writeSettled,
} from "./marks.ts";
import { type Account, type Fault, type Payment, peerOf, type Transaction, transactionOf } from "./rules.ts";
import { writeTransaction } from "./transactions.ts";

/** An answer, new or repeated for its idempotency key; or the key came before with another payload. */
export type Once<T> = { readonly outcome: T; readonly replayed: boolean } | { readonly keyConflict: true };

/** A change that is made once, and everything that it depends on. */
export interface Request {
  readonly key: string | undefined;
  readonly payload: readonly unknown[];
}

export class Draft {
  /** ms since the epoch, never less than the time of the newest transaction. */
  readonly now: number;
  readonly #sql: SqlStorage;
  readonly #books: Books;
  /** Whether the ledger has no tables yet. */
  readonly #empty: boolean;
  readonly #clock: number;
  readonly #changed = new Map<string, Account>();
  readonly #transactions: Transaction[] = [];
  readonly #answers = new Map<string, { payload: string; answer: string }>();
  readonly #holds = new Map<number, Hold | undefined>();
  readonly #settled = new Map<number, number>();
  readonly #references = new Map<string, number>();
  /** What was refused of another ledger's transfers, by `<ledger> <number>`. */
  readonly #refusals = new Map<string, Fault>();
  /** Transfers to other ledgers that were made. */
  readonly sends: Transaction[] = [];
  /** All other writes, which come after the rows above: for transfers across ledgers, and holds that expire later. */
  readonly #rest: ((sql: SqlStorage) => void)[] = [];
  #currency: Currency | undefined;
  #last: number;

  /** `now`: ms since the epoch. */
  constructor(sql: SqlStorage, books: Books, { empty, now }: { empty: boolean; now: number }) {
    this.#sql = sql;
    this.#books = books;
    this.#empty = empty;
    this.#clock = now;
    this.now = Math.max(now, books.newest.at);
    this.#last = books.newest.seq;
  }

  /** Whether there is anything to write. */
  get isChanged(): boolean {
    return this.#changed.size > 0 || this.#answers.size > 0 || this.#rest.length > 0 || this.#currency !== undefined;
  }

  /** Whether there are answers to idempotency keys to write. */
  get hasKeys(): boolean {
    return this.#answers.size > 0;
  }

  /** The number of the newest transaction. */
  get last(): number {
    return this.#last;
  }

  /** The holds that were made. */
  get newHolds(): readonly Hold[] {
    return [...this.#holds.values()].flatMap((hold) => hold ?? []);
  }

  /** Makes a change once for its key. An outcome that is refused moved nothing and may succeed later: it is not kept. */
  once<T extends { readonly ok: boolean }>({ key, payload }: Request, decide: () => T): Once<T> {
    if (key === undefined) return { outcome: decide(), replayed: false };
    const text = JSON.stringify(payload);
    const known = this.#answerTo<T>(key, text);
    if (known) return known;
    const outcome = decide();
    if (outcome.ok) this.#answers.set(key, { payload: text, answer: JSON.stringify(outcome) });
    return { outcome, replayed: false };
  }

  account(name: string): Account {
    return this.#changed.get(name) ?? this.#books.account(name);
  }

  /** Changes an account in something other than money. */
  set(name: string, account: Account): void {
    this.#changed.set(name, account);
  }

  /** Whether the ledger has sent money to another or taken some, since it was made or made anew. */
  get hasTraded(): boolean {
    const changed = [...this.#changed].some(([name, { last }]) => last > 0 && peerOf(name) !== undefined);
    return changed || (!this.#empty && hasTraded(this.#sql));
  }

  /** The ledger's currency; undefined where none is set. */
  get currency(): Currency | undefined {
    return this.#currency ?? (this.#empty ? undefined : readCurrency(this.#sql));
  }

  set currency(currency: Currency) {
    this.#currency = currency;
  }

  /** A hold that is neither posted, voided nor expired. */
  hold(seq: number): Hold | undefined {
    return this.#holds.has(seq) ? this.#holds.get(seq) : this.#empty ? undefined : findHold(this.#sql, seq);
  }

  /** The transaction that settled a hold, or reversed a payment. */
  settledBy(seq: number): number | undefined {
    return this.#settled.get(seq) ?? (this.#empty ? undefined : findSettled(this.#sql, seq));
  }

  /** The transaction that has this reference. */
  referred(reference: string): number | undefined {
    return this.#references.get(reference) ?? (this.#empty ? undefined : findReference(this.#sql, reference));
  }

  /** Makes a payment. The rules must have allowed it. */
  pay(payment: Payment): Transaction {
    const accounts = { paying: this.account(payment.payer), paid: this.account(payment.payee) };
    const seq = ++this.#last;
    const transaction = transactionOf(payment, accounts, { seq, at: this.now });
    this.#transactions.push(transaction);
    this.#changed.set(payment.payer, { ...accounts.paying, balance: transaction.payerBalance, last: seq });
    this.#changed.set(payment.payee, { ...accounts.paid, balance: transaction.payeeBalance, last: seq });
    if (payment.reference !== undefined) this.#references.set(payment.reference, seq);
    return transaction;
  }

  /** Keeps a hold until it is settled. */
  open(hold: Hold): void {
    this.#holds.set(hold.seq, hold);
  }

  /** Lets a stored hold expire later. */
  postpone({ seq }: Hold, due: number): void {
    this.#rest.push((sql) => postponeHold(sql, seq, due));
  }

  /** Settles a hold, or marks a payment as reversed, once. */
  settle(seq: number, by: number): void {
    if (this.hold(seq)) this.#holds.set(seq, undefined);
    this.#settled.set(seq, by);
  }

  /** Why a transfer of another ledger was refused; undefined if it was not. */
  refusal(ledger: string, origin: number): Fault | undefined {
    const drafted = this.#refusals.get(`${ledger} ${origin}`);
    return drafted ?? (this.#empty ? undefined : findRefusal(this.#sql, ledger, origin));
  }

  /** Keeps why a transfer of another ledger was refused, in case its answer is lost. */
  refuse(ledger: string, origin: number, fault: Fault): void {
    this.#refusals.set(`${ledger} ${origin}`, fault);
    this.#rest.push((sql) => writeRefusal(sql, ledger, origin, fault));
  }

  /** Forgets refusals whose answer the other ledger has: all before the number `oldest`. */
  forgetRefusals(ledger: string, oldest: number): void {
    if (this.#empty || !hasRefusalsBefore(this.#sql, ledger, oldest)) return;
    this.#rest.push((sql) => removeRefusals(sql, ledger, oldest));
  }

  /** Keeps when the answer to a transfer to another ledger came, and its number there. */
  settleSend(seq: number, answer: { readonly at: number; readonly by: number | undefined }): void {
    this.#rest.push((sql) => writeAnswer(sql, seq, answer));
  }

  /** Writes it all. Call it in a transaction, and `written` after that. */
  write(): void {
    for (const transaction of this.#transactions) writeTransaction(this.#sql, transaction);
    for (const [name, account] of this.#changed) writeAccount(this.#sql, name, account);
    for (const [reference, seq] of this.#references) writeReference(this.#sql, reference, seq);
    for (const [seq, hold] of this.#holds) {
      if (hold) writeHold(this.#sql, hold);
      else removeHold(this.#sql, seq);
    }
    for (const [seq, by] of this.#settled) writeSettled(this.#sql, seq, by);
    for (const [key, answer] of this.#answers) keepReplay(this.#sql, { key, ...answer }, this.#clock);
    if (this.#currency) writeCurrency(this.#sql, this.#currency);
    for (const write of this.#rest) write(this.#sql);
  }

  /** Hands what was written to the books. */
  written(): void {
    const at = this.#transactions.at(-1)?.at ?? this.#books.newest.at;
    this.#books.remember({ seq: this.#last, at }, this.#changed);
  }

  #answerTo<T>(key: string, payload: string): Once<T> | undefined {
    const drafted = this.#answers.get(key);
    if (!drafted && this.#empty) return undefined;
    const known = drafted ? replayOf(drafted, payload) : findReplay(this.#sql, key, payload, this.#clock);
    if (known.kind === "new") return undefined;
    return known.kind === "conflict" ? { keyConflict: true } : { outcome: JSON.parse(known.answer), replayed: true };
  }
}
