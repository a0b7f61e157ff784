/**
 * A ledger of named accounts. A payment happens wholly or not at all, and once per idempotency key: the check, the
 * entries, the balances and the remembered answer are one transaction.
 */
import { DurableObject } from "cloudflare:workers";
import { sweepReplays } from "../objects/replays.ts";
import { Schema } from "../objects/schema.ts";
import { Wake } from "../objects/wake.ts";
import { Books } from "./books.ts";
import type { Paid } from "./draft.ts";
import { ledger } from "./pattern.ts";
import { Payments } from "./payments.ts";
import { type Audit, audit, OUTSIDE, type Transaction } from "./rules.ts";
import {
  everyAccount,
  everyTransaction,
  hasMoney,
  listAccounts,
  listTransactions,
  listTransactionsOf,
  type NamedAccount,
  type Page,
} from "./tables.ts";

const NOTHING = { items: [], next: null };

export class AccountDO extends DurableObject<Env> {
  readonly #schema: Schema;
  readonly #books: Books;
  readonly #payments: Payments;
  readonly #wake: Wake;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#schema = new Schema(ctx.storage, ledger);
    this.#books = new Books(ctx.storage.sql, this.#schema);
    this.#wake = new Wake(ctx.storage);
    this.#payments = new Payments(ctx.storage, this.#schema, this.#books, this.#wake);
  }

  /** Sweeps the answers to old idempotency keys. */
  override alarm(): void {
    this.#wake.gone();
    if (!this.#schema.empty) this.#wake.by(sweepReplays(this.ctx.storage.sql, Date.now()));
  }

  /** Deletes the ledger with its transactions. False if an account has money; then nothing is deleted. */
  async remove(): Promise<boolean> {
    if (this.#schema.empty) return true;
    if (hasMoney(this.ctx.storage.sql)) return false;
    // No await before the end, so that no payment is decided with balances that are about to be deleted.
    this.#books.forget();
    this.#schema.forget();
    this.#wake.gone();
    await this.ctx.storage.deleteAll();
    return true;
  }

  /** Moves `amount` (minor units) from one account to another. */
  transfer(from: string, to: string, amount: number, key?: string): Promise<Paid> {
    return this.#payments.pay({ payer: from, payee: to, amount, key });
  }

  /** Brings money in from outside the ledger. */
  deposit(to: string, amount: number, key?: string): Promise<Paid> {
    return this.#payments.pay({ payer: OUTSIDE, payee: to, amount, key });
  }

  /** Takes money out of the ledger. */
  withdraw(from: string, amount: number, key?: string): Promise<Paid> {
    return this.#payments.pay({ payer: from, payee: OUTSIDE, amount, key });
  }

  /** The balance of an account; 0 for an unknown one, because anybody may pay to it. */
  balance(account: string): number {
    return this.#books.account(account).balance;
  }

  /** A page of the accounts by name, after `cursor`. */
  balances(cursor: string | undefined, limit: number): Page<NamedAccount, string> {
    return this.#schema.empty ? NOTHING : listAccounts(this.ctx.storage.sql, cursor ?? "", limit);
  }

  /** A page of the transactions, of one account or all, newest first; from the `cursor` of the page before. */
  transactions(account: string | undefined, cursor: number | undefined, limit: number): Page<Transaction, number> {
    if (this.#schema.empty) return NOTHING;
    const { sql } = this.ctx.storage;
    if (account === undefined) return listTransactions(sql, cursor ?? Number.MAX_SAFE_INTEGER, limit);
    return listTransactionsOf(sql, account, cursor ?? this.#books.account(account).last, limit);
  }

  /** Whether the ledger adds up. */
  audit(): Audit {
    const { sql } = this.ctx.storage;
    return this.#schema.empty ? audit([], []) : audit(everyAccount(sql), everyTransaction(sql));
  }
}
