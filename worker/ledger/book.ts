/** The rows of a ledger as a whole: its currency, where its numbers begin, the segments of its archive. */
import { hasTable } from "../objects/schema.ts";

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

/** The number after which the transactions of this ledger begin: it was deleted once, and others know its numbers. */
export function readBase(sql: SqlStorage): number {
  if (!hasTable(sql, "book")) return 0;
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
