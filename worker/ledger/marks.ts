/** Rows about transactions that outlive them: references, what settled what, holds, answers of other ledgers, refusals. */
import type { Fault } from "./rules.ts";

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

export function postponeHold(sql: SqlStorage, seq: number, due: number): void {
  sql.exec("UPDATE holds SET due = ? WHERE seq = ?", due, seq);
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
