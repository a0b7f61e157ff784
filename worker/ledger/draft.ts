/** Payments that are decided and not written yet, on top of the stored ledger. */
import { findReplay, keepReplay } from "../objects/replays.ts";
import type { Books } from "./books.ts";
import { type Account, type Fault, faultOfPayment, type Payment, type Transaction, transactionOf } from "./rules.ts";
import { writeAccounts, writeTransactions } from "./tables.ts";

/** The outcome of a payment. */
export type Outcome = { ok: true; transaction: Transaction } | { ok: false; fault: Fault };
/** The outcome, new or repeated for its idempotency key; or the key came before with another payload. */
export type Paid = { outcome: Outcome; replayed: boolean } | { keyConflict: true };

/** A payment, with its idempotency key if it has one. */
export type PaymentOnce = Payment & { readonly key: string | undefined };

export class Draft {
  readonly #sql: SqlStorage;
  readonly #books: Books;
  /** Whether the ledger has no tables yet. */
  readonly #empty: boolean;
  readonly #now: number;
  /** The accounts that have paid or were paid, as they are after it. */
  readonly #changed = new Map<string, Account>();
  readonly #transactions: Transaction[] = [];
  /** The number of the newest transaction. */
  #last: number;
  readonly #answers = new Map<string, { payload: string; outcome: Outcome }>();

  /** `now`: ms since the epoch. */
  constructor(sql: SqlStorage, books: Books, { empty, now }: { empty: boolean; now: number }) {
    this.#sql = sql;
    this.#books = books;
    this.#last = books.last;
    this.#empty = empty;
    this.#now = now;
  }

  /** Whether there is anything to write. */
  get isChanged(): boolean {
    return this.#transactions.length > 0 || this.#answers.size > 0;
  }

  /** Whether there are answers to idempotency keys to write. */
  get hasKeys(): boolean {
    return this.#answers.size > 0;
  }

  /** Decides a payment. With a key, it is made once. */
  pay({ key, ...payment }: PaymentOnce): Paid {
    if (key === undefined) return { outcome: this.#decide(payment), replayed: false };
    const payload = JSON.stringify([payment.payer, payment.payee, payment.amount]);
    const known = this.#answerTo(key, payload);
    if (known) return known;
    const outcome = this.#decide(payment);
    // A refusal moved nothing, and the next call may succeed: so it is not kept.
    if (outcome.ok) this.#answers.set(key, { payload, outcome });
    return { outcome, replayed: false };
  }

  /** Writes the decided payments. Call it in a transaction, and `written` after that. */
  write(): void {
    writeTransactions(this.#sql, this.#transactions);
    writeAccounts(this.#sql, this.#changed);
    for (const [key, { payload, outcome }] of this.#answers) {
      keepReplay(this.#sql, { key, payload, answer: JSON.stringify(outcome) }, this.#now);
    }
  }

  /** Hands the written payments to the books. */
  written(): void {
    this.#books.remember(this.#last, this.#changed);
  }

  #decide(payment: Payment): Outcome {
    const accounts = { paying: this.#account(payment.payer), paid: this.#account(payment.payee) };
    const fault = faultOfPayment(payment.payer, accounts.paying, payment.amount);
    if (fault) return { ok: false, fault };
    const seq = ++this.#last;
    const transaction = transactionOf(payment, accounts, { seq, at: this.#now });
    this.#transactions.push(transaction);
    this.#changed.set(payment.payer, { balance: transaction.payerBalance, last: seq });
    this.#changed.set(payment.payee, { balance: transaction.payeeBalance, last: seq });
    return { ok: true, transaction };
  }

  #answerTo(key: string, payload: string): Paid | undefined {
    const drafted = this.#answers.get(key);
    if (drafted) {
      return drafted.payload === payload ? { outcome: drafted.outcome, replayed: true } : { keyConflict: true };
    }
    if (this.#empty) return undefined;
    const stored = findReplay(this.#sql, key, payload, this.#now);
    if (stored.kind === "conflict") return { keyConflict: true };
    if (stored.kind === "replay") return { outcome: JSON.parse(stored.answer), replayed: true };
    return undefined;
  }

  #account(name: string): Account {
    return this.#changed.get(name) ?? this.#books.account(name);
  }
}
