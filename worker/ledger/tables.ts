/** Reads and writes the rows of a ledger. Reads work with the tables of every older version, too. */
import { type Account, type Fault, KINDS, NEW_ACCOUNT, type Transaction } from "./rules.ts";

export type NamedAccount = Account & { readonly name: string };

/** A part of a list, and where the next part begins; null at the end. */
export interface Page<T, Cursor> {
  readonly items: readonly T[];
  readonly next: Cursor | null;
}

interface AccountRow extends Record<string, SqlStorageValue> {
  name: string;
  balance: number;
  last: number;
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

function accountIn({ name, balance, last, ...row }: AccountRow): NamedAccount {
  const [overdraft, received] = [numberIn(row.overdraft) ?? 0, numberIn(row.received) ?? 0];
  return { name, balance, last, overdraft, frozen: row.frozen === 1, received };
}

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

export function readAccount(sql: SqlStorage, name: string): Account {
  const [row] = sql.exec<AccountRow>("SELECT * FROM accounts WHERE name = ?", name).toArray();
  return row ? accountIn(row) : NEW_ACCOUNT;
}

/** Whether any account has money, or owes some. */
export function hasMoney(sql: SqlStorage): boolean {
  return sql.exec("SELECT 1 FROM accounts WHERE balance <> 0 LIMIT 1").toArray().length > 0;
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

export function writeAccount(sql: SqlStorage, name: string, { balance, last, ...more }: Account): void {
  sql.exec(
    `INSERT INTO accounts (name, balance, last, overdraft, frozen, received) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET balance = excluded.balance, last = excluded.last,
       overdraft = excluded.overdraft, frozen = excluded.frozen, received = excluded.received`,
    ...[name, balance, last, more.overdraft, Number(more.frozen), more.received],
  );
}

/** The callers' accounts by name, after the name `after`. The ledger's own begin with `@`. */
export function listAccounts(sql: SqlStorage, after: string, limit: number): Page<NamedAccount, string> {
  const rows = sql
    .exec<AccountRow>(
      "SELECT * FROM accounts WHERE name > ? AND name NOT GLOB '@*' ORDER BY name LIMIT ?",
      ...[after, limit + 1],
    )
    .toArray()
    .map(accountIn);
  return { items: rows.slice(0, limit), next: rows.length > limit ? (rows[limit - 1]?.name ?? null) : null };
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

/** The accounts by name, with the ledger's own, after the name `after`. */
export function accountsAfter(sql: SqlStorage, after: string, limit: number): readonly NamedAccount[] {
  return sql
    .exec<AccountRow>("SELECT * FROM accounts WHERE name > ? ORDER BY name LIMIT ?", after, limit)
    .toArray()
    .map(accountIn);
}

/** The number of the transaction with a caller's reference. */
export function findReference(sql: SqlStorage, reference: string): number | undefined {
  return sql.exec<{ seq: number }>("SELECT seq FROM refs WHERE reference = ?", reference).toArray()[0]?.seq;
}

export function writeReference(sql: SqlStorage, reference: string, seq: number): void {
  sql.exec("INSERT INTO refs (reference, seq) VALUES (?, ?)", reference, seq);
}

/** The transaction that settled a hold, or reversed a payment. */
export function findSettled(sql: SqlStorage, seq: number): number | undefined {
  return sql.exec<{ by: number }>("SELECT by FROM settled WHERE seq = ?", seq).toArray()[0]?.by;
}

/** Keeps which transaction settled or reversed another. @throws Error if one did before. */
export function writeSettled(sql: SqlStorage, seq: number, by: number): void {
  sql.exec("INSERT INTO settled (seq, by) VALUES (?, ?)", seq, by);
}

/** Money that is held for a payee. */
export interface Hold {
  readonly seq: number;
  /** When it expires (ms since the epoch). */
  readonly due: number;
  readonly payer: string;
  readonly payee: string;
  readonly amount: number;
}
type HoldRow = Hold & Record<string, SqlStorageValue>;

export function findHold(sql: SqlStorage, seq: number): Hold | undefined {
  return sql.exec<HoldRow>("SELECT seq, due, payer, payee, amount FROM holds WHERE seq = ?", seq).toArray()[0];
}

export function writeHold(sql: SqlStorage, { seq, due, payer, payee, amount }: Hold): void {
  sql.exec(
    "INSERT INTO holds (seq, due, payer, payee, amount) VALUES (?, ?, ?, ?, ?)",
    ...[seq, due, payer, payee, amount],
  );
}

export function removeHold(sql: SqlStorage, seq: number): void {
  sql.exec("DELETE FROM holds WHERE seq = ?", seq);
}

/** The holds that expire first. */
export function firstHolds(sql: SqlStorage, limit: number): readonly Hold[] {
  return sql
    .exec<HoldRow>("SELECT seq, due, payer, payee, amount FROM holds ORDER BY due, seq LIMIT ?", limit)
    .toArray();
}

/** What a ledger is kept in, such as `EUR` with 2 digits of minor units. */
export interface Currency {
  readonly currency: string;
  readonly minorUnits: number;
}

/** The ledger's currency; undefined where none is set. */
export function readCurrency(sql: SqlStorage): Currency | undefined {
  const [row] = sql
    .exec<{ currency: string | null; minor_units: number | null }>("SELECT currency, minor_units FROM book")
    .toArray();
  return row?.currency == null || row.minor_units == null
    ? undefined
    : { currency: row.currency, minorUnits: row.minor_units };
}

export function writeCurrency(sql: SqlStorage, { currency, minorUnits }: Currency): void {
  sql.exec(
    `INSERT INTO book (id, currency, minor_units) VALUES (1, ?, ?)
     ON CONFLICT (id) DO UPDATE SET currency = excluded.currency, minor_units = excluded.minor_units`,
    ...[currency, minorUnits],
  );
}

/** Transfers to other ledgers that have no answer yet, by their numbers. Looks at every transaction that is a row. */
export function openSends(sql: SqlStorage): readonly Transaction[] {
  return sql
    .exec<TransactionRow>("SELECT * FROM transactions WHERE kind = 'send' AND settled_at IS NULL ORDER BY seq")
    .toArray()
    .map(transactionIn);
}

/** Whether the ledger ever sent money to another, or took some. */
export function hasPeers(sql: SqlStorage): boolean {
  return sql.exec("SELECT 1 FROM accounts WHERE name > '@ledger:' AND name < '@ledger;' LIMIT 1").toArray().length > 0;
}

/** When the other ledger's answer came (ms since the epoch), and its number there if that is known. */
export interface SendAnswer {
  readonly at: number;
  readonly by: number | undefined;
}

export function writeAnswer(sql: SqlStorage, seq: number, { at, by }: SendAnswer): void {
  sql.exec("UPDATE transactions SET settled_at = ?, settled_by = ? WHERE seq = ?", at, by ?? null, seq);
}

/** The answer to a transfer to another ledger; undefined while it is on its way. */
export function readAnswer(sql: SqlStorage, seq: number): SendAnswer | undefined {
  const [row] = sql
    .exec<{ settled_at: number | null; settled_by: number | null }>(
      "SELECT settled_at, settled_by FROM transactions WHERE seq = ?",
      seq,
    )
    .toArray();
  return row?.settled_at == null ? undefined : { at: row.settled_at, by: row.settled_by ?? undefined };
}

/** Why a transfer of another ledger was refused. */
export function findRefusal(sql: SqlStorage, ledger: string, origin: number): Fault | undefined {
  const [row] = sql
    .exec<{ fault: string }>("SELECT fault FROM refused WHERE ledger = ? AND origin = ?", ledger, origin)
    .toArray();
  return row && JSON.parse(row.fault);
}

export function writeRefusal(sql: SqlStorage, ledger: string, origin: number, fault: Fault): void {
  sql.exec("INSERT INTO refused (ledger, origin, fault) VALUES (?, ?, ?)", ...[ledger, origin, JSON.stringify(fault)]);
}

export function hasRefusalsBefore(sql: SqlStorage, ledger: string, oldest: number): boolean {
  return sql.exec("SELECT 1 FROM refused WHERE ledger = ? AND origin < ? LIMIT 1", ledger, oldest).toArray().length > 0;
}

export function removeRefusals(sql: SqlStorage, ledger: string, oldest: number): void {
  sql.exec("DELETE FROM refused WHERE ledger = ? AND origin < ?", ledger, oldest);
}

/** The number after which the transactions of this ledger begin: it was deleted once, and others know its numbers. */
export function readBase(sql: SqlStorage): number {
  const tables = sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'book'").toArray();
  if (tables.length === 0) return 0;
  return sql.exec<{ base: number }>("SELECT base FROM book").toArray()[0]?.base ?? 0;
}

/** Deletes all but what other ledgers rely on: the numbers go on after `last`, and none is taken from them twice. */
export function beginAnew(sql: SqlStorage, last: number): void {
  for (const table of ["transactions", "holds", "settled", "refs", "replays", "segments", "book"]) {
    sql.exec(`DELETE FROM ${table}`);
  }
  sql.exec("DELETE FROM accounts WHERE name NOT GLOB '@ledger:*'");
  sql.exec("UPDATE accounts SET last = 0");
  sql.exec("INSERT INTO book (id, base) VALUES (1, ?)", last);
}

/** A part of the archive. */
export interface Segment {
  readonly number: number;
  /** The numbers of its first and last transaction, and the time of the last (ms since the epoch). */
  readonly first: number;
  readonly last: number;
  readonly at: number;
  /** The hash of its last transaction, and that of the whole segment. */
  readonly head: string;
  readonly hash: string;
}
type SegmentRow = Segment & Record<string, SqlStorageValue>;

const oneSegment = (sql: SqlStorage, rest: string, ...values: number[]): Segment | undefined =>
  sql
    .exec<SegmentRow>(`SELECT number, first, last, at, head, hash FROM segments ${rest} LIMIT 1`, ...values)
    .toArray()[0];

export const newestSegment = (sql: SqlStorage): Segment | undefined => oneSegment(sql, "ORDER BY number DESC");
/** The segment with transaction `seq`. */
export const segmentWith = (sql: SqlStorage, seq: number): Segment | undefined =>
  oneSegment(sql, "WHERE last >= ? ORDER BY number", seq);
/** The first segment that ends after a time (ms since the epoch). */
export const segmentAfter = (sql: SqlStorage, at: number): Segment | undefined =>
  oneSegment(sql, "WHERE at > ? ORDER BY number", at);

/** Notes a segment that is in the bucket, and deletes its rows. Call it in a transaction. */
export function writeSegment(sql: SqlStorage, { number, first, last, at, head, hash }: Segment): void {
  sql.exec(
    "INSERT INTO segments (number, first, last, at, head, hash) VALUES (?, ?, ?, ?, ?, ?)",
    ...[number, first, last, at, head, hash],
  );
  sql.exec("DELETE FROM transactions WHERE seq <= ?", last);
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
