/** The stored ledger. Accounts in use are also kept in memory, so that a payment need not read them again. */
import type { Schema } from "../objects/schema.ts";
import { type Account, NEW_ACCOUNT } from "./rules.ts";
import { lastTransaction, readAccount } from "./tables.ts";

/** The most accounts in memory. */
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

  /** Forgets everything, after the ledger was deleted. */
  forget(): void {
    this.#last = undefined;
    this.#accounts.clear();
  }

  account(name: string): Account {
    return this.#accounts.get(name) ?? (this.#schema.empty ? NEW_ACCOUNT : readAccount(this.#sql, name));
  }

  /** Remembers what was written. Call it after the transaction: a rollback must not leave memory ahead of the disk. */
  remember(last: number, accounts: ReadonlyMap<string, Account>): void {
    this.#last = last;
    for (const [name, account] of accounts) this.#accounts.set(name, account);
    if (this.#accounts.size > MAX_REMEMBERED) this.#accounts.clear();
  }
}
