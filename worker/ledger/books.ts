/** The stored ledger. Accounts in use are also kept in memory, so that a payment need not read them again. */
import type { Schema } from "../objects/schema.ts";
import { readAccount } from "./accounts.ts";
import { readBase } from "./book.ts";
import { type Account, NEW_ACCOUNT } from "./rules.ts";
import { newestTransaction } from "./transactions.ts";

/** The most accounts in memory. */
const MAX_REMEMBERED = 1_000;

/** The end of the ledger: the number of its newest transaction (0 before the first), and its time. */
export interface Newest {
  readonly seq: number;
  readonly at: number;
}

export class Books {
  readonly #sql: SqlStorage;
  readonly #schema: Schema;
  readonly #accounts = new Map<string, Account>();
  #newest: Newest | undefined;

  constructor(sql: SqlStorage, schema: Schema) {
    this.#sql = sql;
    this.#schema = schema;
  }

  get newest(): Newest {
    this.#newest ??= this.#read();
    return this.#newest;
  }

  /** Forgets everything, after the ledger was deleted. */
  forget(): void {
    this.#newest = undefined;
    this.#accounts.clear();
  }

  account(name: string): Account {
    return this.#accounts.get(name) ?? (this.#schema.empty ? NEW_ACCOUNT : readAccount(this.#sql, name));
  }

  /** Remembers what was written. Call it after the transaction: a rollback must not leave memory ahead of the disk. */
  remember(newest: Newest, accounts: ReadonlyMap<string, Account>): void {
    this.#newest = newest;
    for (const [name, account] of accounts) this.#accounts.set(name, account);
    if (this.#accounts.size > MAX_REMEMBERED) this.#accounts.clear();
  }

  #read(): Newest {
    if (this.#schema.empty) return { seq: 0, at: 0 };
    return newestTransaction(this.#sql) ?? { seq: readBase(this.#sql), at: 0 };
  }
}
