/** Reads and writes the rows of a ledger's transactions. Reads work with the tables of every older version, too. */
import { KINDS, type Transaction } from "./rules.ts";

/** A part of a list, and where the next part begins; null at the end. */
export interface Page<T, Cursor> {
  readonly items: readonly T[];
  readonly next: Cursor | null;
}

/** Columns that older tables do not have are missing here. */
interface TransactionRow extends Record<string, SqlStorageValue> {
  seq: number;
  payer: string;
  payee: string;
  amount: number;
  payer_balance: number;
  payee_balance: number;
  payer_previous: number;
  payee_previous: number;
  at: number;
}

const textIn = (value: SqlStorageValue | undefined) => (typeof value === "string" ? value : undefined);

const numberIn = (value: SqlStorageValue | undefined) => (typeof value === "number" ? value : undefined);

/** The transaction of a row. */
function transactionIn(row: TransactionRow): Transaction {
  const kind = KINDS.find((one) => one === row.kind);
  const [of, due] = [numberIn(row.of), numberIn(row.due)];
  const [target, memo, reference] = [textIn(row.target), textIn(row.memo), textIn(row.reference)];
  return {
    seq: row.seq,
    payer: row.payer,
    payee: row.payee,
    amount: row.amount,
    payerBalance: row.payer_balance,
    payeeBalance: row.payee_balance,
    payerPrevious: row.payer_previous,
    payeePrevious: row.payee_previous,
    at: row.at,
    ...(kind !== undefined && { kind }),
    ...(of !== undefined && { of }),
    ...(due !== undefined && { due }),
    ...(target !== undefined && { target }),
    ...(memo !== undefined && { memo }),
    ...(reference !== undefined && { reference }),
  };
}

export function readTransaction(sql: SqlStorage, seq: number): Transaction | undefined {
  const [row] = sql.exec<TransactionRow>("SELECT * FROM transactions WHERE seq = ?", seq).toArray();
  return row && transactionIn(row);
}

/** The newest transaction that is a row. */
export function newestTransaction(sql: SqlStorage): Transaction | undefined {
  const [row] = sql.exec<TransactionRow>("SELECT * FROM transactions ORDER BY seq DESC LIMIT 1").toArray();
  return row && transactionIn(row);
}

export function writeTransaction(sql: SqlStorage, t: Transaction): void {
  const basics = [t.seq, t.payer, t.payee, t.amount];
  const entries = [t.payerBalance, t.payeeBalance, t.payerPrevious, t.payeePrevious, t.at];
  if (t.kind === undefined && t.memo === undefined && t.reference === undefined) {
    sql.exec(
      `INSERT INTO transactions
         (seq, payer, payee, amount, payer_balance, payee_balance, payer_previous, payee_previous, at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...basics,
      ...entries,
    );
    return;
  }
  const { kind = null, of = null, due = null, target = null, memo = null, reference = null } = t;
  sql.exec(
    `INSERT INTO transactions
       (seq, payer, payee, amount, payer_balance, payee_balance, payer_previous, payee_previous, at,
        kind, of, due, target, memo, reference)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ...basics,
    ...entries,
    ...[kind, of, due, target, memo, reference],
  );
}

/** All transactions, newest first, from number `from` down. */
export function listTransactions(sql: SqlStorage, from: number, limit: number): readonly Transaction[] {
  return sql
    .exec<TransactionRow>("SELECT * FROM transactions WHERE seq <= ? ORDER BY seq DESC LIMIT ?", from, limit)
    .toArray()
    .map(transactionIn);
}

/** The transactions after number `after`, oldest first. */
export function transactionsAfter(sql: SqlStorage, after: number, limit: number): readonly Transaction[] {
  return sql
    .exec<TransactionRow>("SELECT * FROM transactions WHERE seq > ? ORDER BY seq LIMIT ?", after, limit)
    .toArray()
    .map(transactionIn);
}

/** The transactions of one account, newest first, from number `from` down. Follows the chain, a row at a time. */
export function listTransactionsOf(
  sql: SqlStorage,
  account: string,
  from: number,
  limit: number,
): readonly Transaction[] {
  return sql
    .exec<TransactionRow>(
      `WITH RECURSIVE chain AS (
         SELECT * FROM transactions WHERE seq = ?2 AND ?1 IN (payer, payee)
         UNION ALL
         SELECT t.* FROM chain JOIN transactions t
           ON t.seq = CASE ?1 WHEN chain.payer THEN chain.payer_previous ELSE chain.payee_previous END
       )
       SELECT * FROM chain LIMIT ?3`,
      ...[account, from, limit],
    )
    .toArray()
    .map(transactionIn);
}

/** The newest row that is not after a time (ms since the epoch). */
export function newestUntil(sql: SqlStorage, until: number): number | undefined {
  return sql
    .exec<{ seq: number }>("SELECT seq FROM transactions WHERE at <= ? ORDER BY seq DESC LIMIT 1", until)
    .toArray()[0]?.seq;
}

/** The newest row of an account up to number `from`. Looks at every row from there down. */
export function newestOf(sql: SqlStorage, account: string, from: number): Transaction | undefined {
  const [row] = sql
    .exec<TransactionRow>(
      "SELECT * FROM transactions WHERE seq <= ?1 AND ?2 IN (payer, payee) ORDER BY seq DESC LIMIT 1",
      ...[from, account],
    )
    .toArray();
  return row && transactionIn(row);
}

/** Transfers to other ledgers that have no answer yet, by their numbers. Looks at every transaction that is a row. */
export function openSends(sql: SqlStorage): readonly Transaction[] {
  return sql
    .exec<TransactionRow>("SELECT * FROM transactions WHERE kind = 'send' AND settled_at IS NULL ORDER BY seq")
    .toArray()
    .map(transactionIn);
}
