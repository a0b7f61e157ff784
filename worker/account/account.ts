/**
 * A ledger of named accounts. A payment happens wholly or not at all, and once under an idempotency key: check,
 * entries, balances and the remembered answer are one transaction, with no await in it for another call to slip into.
 */
import { DurableObject } from "cloudflare:workers";
import { findReplay, keepReplay } from "../replays.ts";
import { Schema } from "../schema.ts";
import {
  everyAccount,
  everyTransaction,
  LEDGER_STEPS,
  listAccounts,
  listTransactions,
  listTransactionsOf,
  type NamedAccount,
  type Page,
  readAccount,
  writeTransaction,
} from "./ledger.ts";
import {
  type Account,
  type Audit,
  audit,
  type Fault,
  faultOfPayment,
  NEW_ACCOUNT,
  OUTSIDE,
  type Transaction,
} from "./rules.ts";

/** What became of a payment. */
export type Outcome = { ok: true; transaction: Transaction } | { ok: false; fault: Fault };
/** The outcome, new or repeated for its idempotency key, or that the key came before with another payload. */
export type Payment = { outcome: Outcome; replayed: boolean } | { keyConflict: true };

const NOTHING = { items: [], next: null };

export class AccountDO extends DurableObject<Env> {
  readonly #schema: Schema;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#schema = new Schema(ctx.storage, LEDGER_STEPS);
  }

  /** Moves `amount` (minor units) from one account to another. */
  transfer(from: string, to: string, amount: number, key?: string): Payment {
    return this.#pay(from, to, amount, key);
  }

  /** Brings money in from outside the ledger. */
  deposit(to: string, amount: number, key?: string): Payment {
    return this.#pay(OUTSIDE, to, amount, key);
  }

  /** Takes money out of the ledger. */
  withdraw(from: string, amount: number, key?: string): Payment {
    return this.#pay(from, OUTSIDE, amount, key);
  }

  /** The balance of an account; 0 for one never heard of, as everybody may pay to it. */
  balance(account: string): number {
    return this.#account(account).balance;
  }

  /** The accounts by name, after `cursor`. */
  balances(cursor: string | undefined, limit: number): Page<NamedAccount, string> {
    return this.#schema.empty ? NOTHING : listAccounts(this.ctx.storage.sql, cursor ?? "", limit);
  }

  /** The transactions, of one account or all, newest first; from `cursor` on, which a former page gave. */
  transactions(account: string | undefined, cursor: number | undefined, limit: number): Page<Transaction, number> {
    if (this.#schema.empty) return NOTHING;
    const { sql } = this.ctx.storage;
    if (account === undefined) return listTransactions(sql, cursor ?? Number.MAX_SAFE_INTEGER, limit);
    return listTransactionsOf(sql, account, cursor ?? this.#account(account).last, limit);
  }

  /** Whether the ledger adds up. */
  audit(): Audit {
    const { sql } = this.ctx.storage;
    return this.#schema.empty ? audit([], []) : audit(everyAccount(sql), everyTransaction(sql));
  }

  #pay(payer: string, payee: string, amount: number, key: string | undefined): Payment {
    const now = Date.now();
    const payload = JSON.stringify([payer, payee, amount]);
    const replay = key === undefined ? undefined : this.#replayOf(key, payload, now);
    if (replay) return replay;

    const accounts = { paying: this.#account(payer), paid: this.#account(payee) };
    const fault = faultOfPayment(payer, accounts.paying, amount);
    const refused = fault === undefined ? undefined : { ok: false as const, fault };
    if (refused && key === undefined) return { outcome: refused, replayed: false };

    this.#schema.create();
    return this.ctx.storage.transactionSync(() => {
      const { sql } = this.ctx.storage;
      const outcome = refused ?? {
        ok: true as const,
        transaction: writeTransaction(sql, { payer, payee, amount }, accounts, now),
      };
      if (key !== undefined) keepReplay(sql, key, payload, JSON.stringify(outcome), now);
      return { outcome, replayed: false };
    });
  }

  #replayOf(key: string, payload: string, now: number): Payment | undefined {
    if (this.#schema.empty) return undefined;
    const replay = findReplay(this.ctx.storage.sql, key, payload, now);
    if (replay.kind === "conflict") return { keyConflict: true };
    if (replay.kind === "replay") return { outcome: JSON.parse(replay.answer), replayed: true };
    return undefined;
  }

  #account(name: string): Account {
    return this.#schema.empty ? NEW_ACCOUNT : readAccount(this.ctx.storage.sql, name);
  }
}
