/** Reads and writes the rows of a ledger's accounts. Reads work with the tables of every older version, too. */
import { type Account, NEW_ACCOUNT } from "./rules.ts";
import type { Page } from "./transactions.ts";

export type NamedAccount = Account & { readonly name: string };

interface AccountRow extends Record<string, SqlStorageValue> {
  name: string;
  balance: number;
  last: number;
}

function accountIn({ name, balance, last, ...row }: AccountRow): NamedAccount {
  const wholeOr0 = (value: SqlStorageValue | undefined) => (typeof value === "number" ? value : 0);
  const frozen = row.frozen === 1;
  return { name, balance, last, overdraft: wholeOr0(row.overdraft), frozen, received: wholeOr0(row.received) };
}

export function readAccount(sql: SqlStorage, name: string): Account {
  const [row] = sql.exec<AccountRow>("SELECT * FROM accounts WHERE name = ?", name).toArray();
  return row ? accountIn(row) : NEW_ACCOUNT;
}

/** Some accounts that have money, or owe some. */
export function withMoney(sql: SqlStorage): readonly string[] {
  return sql
    .exec<{ name: string }>("SELECT name FROM accounts WHERE balance <> 0 ORDER BY name DESC LIMIT 3")
    .toArray()
    .map(({ name }) => name);
}

export function writeAccount(sql: SqlStorage, name: string, { balance, last, ...more }: Account): void {
  sql.exec(
    `INSERT INTO accounts (name, balance, last, overdraft, frozen, received) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET balance = excluded.balance, last = excluded.last,
       overdraft = excluded.overdraft, frozen = excluded.frozen, received = excluded.received`,
    ...[name, balance, last, more.overdraft, Number(more.frozen), more.received],
  );
}

/** The callers' accounts by name, after the account `after`. The ledger's own begin with `@`. */
export function listAccounts(
  sql: SqlStorage,
  after: string | undefined,
  limit: number,
): Page<NamedAccount, string> | "no such cursor" {
  const theirs = "name NOT GLOB '@*'";
  const isTheirs = (name: string) =>
    sql.exec(`SELECT 1 FROM accounts WHERE ${theirs} AND name = ?`, name).toArray().length > 0;
  if (after !== undefined && !isTheirs(after)) return "no such cursor";
  const found = accountsAfter(sql, after ?? "", limit + 1, theirs);
  return { items: found.slice(0, limit), next: found.length > limit ? (found[limit - 1]?.name ?? null) : null };
}

/** The accounts by name, with the ledger's own, after the name `after`. `which`: only those that this SQL is true of. */
export function accountsAfter(sql: SqlStorage, after: string, limit: number, which = "true"): readonly NamedAccount[] {
  return sql
    .exec<AccountRow>(`SELECT * FROM accounts WHERE name > ? AND ${which} ORDER BY name LIMIT ?`, after, limit)
    .toArray()
    .map(accountIn);
}

/** The accounts of other ledgers. */
const PEERS = "SELECT 1 FROM accounts WHERE name > '@ledger:' AND name < '@ledger;'";

/** Whether the ledger has sent money to another or taken some, since it was made or made anew. */
export function hasTraded(sql: SqlStorage): boolean {
  return sql.exec(`${PEERS} AND last > 0 LIMIT 1`).toArray().length > 0;
}

/** Whether the ledger knows another one: it has sent to it, or was sent something, and has taken it or not. */
export function hasPeers(sql: SqlStorage): boolean {
  return sql.exec(`${PEERS} LIMIT 1`).toArray().length > 0;
}
