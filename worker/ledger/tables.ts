/** Reads and writes the rows of a ledger. */
import { type Account, NEW_ACCOUNT, OUTSIDE, type Transaction } from "./rules.ts";

const COLUMNS = `seq, payer, payee, amount, payer_balance AS payerBalance, payee_balance AS payeeBalance,
  payer_previous AS payerPrevious, payee_previous AS payeePrevious, at`;

type Row<T> = T & Record<string, SqlStorageValue>;
export type NamedAccount = Account & { name: string };

/** A part of a list, and where the next part begins; null at the end. */
export interface Page<T, Cursor> {
  items: T[];
  next: Cursor | null;
}

export function readAccount(sql: SqlStorage, name: string): Account {
  const rows = sql.exec<Row<Account>>("SELECT balance, last FROM accounts WHERE name = ?", name).toArray();
  return rows[0] ?? NEW_ACCOUNT;
}

/** Whether any account has money, or owes some. */
export function hasMoney(sql: SqlStorage): boolean {
  return sql.exec("SELECT 1 FROM accounts WHERE balance <> 0 LIMIT 1").toArray().length > 0;
}

/** The number of the newest transaction; 0 before the first. */
export function lastTransaction(sql: SqlStorage): number {
  return sql.exec<{ last: number | null }>("SELECT max(seq) AS last FROM transactions").one().last ?? 0;
}

export function writeTransactions(sql: SqlStorage, transactions: readonly Transaction[]): void {
  for (const t of transactions) {
    sql.exec(
      `INSERT INTO transactions
         (seq, payer, payee, amount, payer_balance, payee_balance, payer_previous, payee_previous, at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[t.seq, t.payer, t.payee, t.amount],
      ...[t.payerBalance, t.payeeBalance, t.payerPrevious, t.payeePrevious, t.at],
    );
  }
}

export function writeAccounts(sql: SqlStorage, accounts: ReadonlyMap<string, Account>): void {
  for (const [name, { balance, last }] of accounts) {
    sql.exec(
      `INSERT INTO accounts (name, balance, last) VALUES (?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET balance = excluded.balance, last = excluded.last`,
      ...[name, balance, last],
    );
  }
}

/** The callers' accounts by name, after the name `after`. */
export function listAccounts(sql: SqlStorage, after: string, limit: number): Page<NamedAccount, string> {
  const rows = sql
    .exec<Row<NamedAccount>>(
      "SELECT name, balance, last FROM accounts WHERE name > ? AND name <> ? ORDER BY name LIMIT ?",
      ...[after, OUTSIDE, limit + 1],
    )
    .toArray();
  return { items: rows.slice(0, limit), next: rows.length > limit ? (rows[limit - 1]?.name ?? null) : null };
}

/** All transactions, newest first, from number `from` down. */
export function listTransactions(sql: SqlStorage, from: number, limit: number): Page<Transaction, number> {
  const rows = sql
    .exec<Row<Transaction>>(
      `SELECT ${COLUMNS} FROM transactions WHERE seq <= ? ORDER BY seq DESC LIMIT ?`,
      ...[from, limit + 1],
    )
    .toArray();
  return { items: rows.slice(0, limit), next: rows[limit]?.seq ?? null };
}

/** The transactions of one account, newest first, from number `from` down. Follows the chain, a row at a time. */
export function listTransactionsOf(
  sql: SqlStorage,
  account: string,
  from: number,
  limit: number,
): Page<Transaction, number> {
  const rows = sql
    .exec<Row<Transaction>>(
      `WITH RECURSIVE chain AS (
         SELECT * FROM transactions WHERE seq = ?2 AND ?1 IN (payer, payee)
         UNION ALL
         SELECT t.* FROM chain JOIN transactions t
           ON t.seq = CASE ?1 WHEN chain.payer THEN chain.payer_previous ELSE chain.payee_previous END
       )
       SELECT ${COLUMNS} FROM chain LIMIT ?3`,
      ...[account, from, limit + 1],
    )
    .toArray();
  return { items: rows.slice(0, limit), next: rows[limit]?.seq ?? null };
}

/** Every account, with `OUTSIDE`. Read it to the end before the next await. */
export function everyAccount(sql: SqlStorage): Iterable<NamedAccount> {
  return sql.exec<Row<NamedAccount>>("SELECT name, balance, last FROM accounts");
}

/** Every transaction, oldest first. Read it to the end before the next await. */
export function everyTransaction(sql: SqlStorage): Iterable<Transaction> {
  return sql.exec<Row<Transaction>>(`SELECT ${COLUMNS} FROM transactions ORDER BY seq`);
}
