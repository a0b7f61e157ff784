/** What is on disk of a ledger, of which the part that is in use is also in memory: a payment need not read it again. */
import type { Schema } from "../objects/schema.ts";
import { type Account, NEW_ACCOUNT } from "./rules.ts";
import { lastTransaction, readAccount } from "./tables.ts";

/** Accounts in memory. */
const MAX_REMEMBERED = 1_000;

export class Books {
  readonly #sql: SqlStorage;
  readonly #schema: Schema;
  readonly #accounts = new Map<string, Account>();
  #last: number | undefined;

  constructor(sql: SqlStorage, schema: Schema) {
    this.#sql = sql;
    this.#schema = schema;
  }

  /** The number of the newest transaction; 0 before the first. */
  get last(): number {
    this.#last ??= this.#schema.empty ? 0 : lastTransaction(this.#sql);
    return this.#last;
  }

  /** After all was deleted: the books are new. */
  forget(): void {
    this.#last = undefined;
    this.#accounts.clear();
  }

  account(name: string): Account {
    return this.#accounts.get(name) ?? (this.#schema.empty ? NEW_ACCOUNT : readAccount(this.#sql, name));
  }

  /** Remembers what was written. Call it after the transaction: one that was rolled back must not be ahead of the disk. */
  remember(last: number, accounts: ReadonlyMap<string, Account>): void {
    this.#last = last;
    for (const [name, account] of accounts) this.#accounts.set(name, account);
    if (this.#accounts.size > MAX_REMEMBERED) this.#accounts.clear();
  }
}
