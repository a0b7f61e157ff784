/** Transfers as people write them without this project. */
import { DurableObject } from "cloudflare:workers";
import type { AccountDO } from "../../../worker/ledger/ledger.ts";
import { calls, NAME, type Subjects, type WithFloor } from "../../bench/worker/load.ts";

const FUNDS = 1e12;
const ACCOUNTS =
  "CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0))";
const LOG = "CREATE TABLE IF NOT EXISTS log (payer TEXT, payee TEXT, amount INTEGER, at INTEGER)";
const FILL = "INSERT OR IGNORE INTO accounts VALUES ('a', ?), ('b', 0)";
const TAKE = "UPDATE accounts SET balance = balance - ? WHERE name = ?";
const GIVE = "UPDATE accounts SET balance = balance + ? WHERE name = ?";
const NOTE = "INSERT INTO log VALUES (?, ?, ?, ?)";

export class SqlAccounts extends DurableObject {
  constructor(ctx: DurableObjectState, env: object) {
    super(ctx, env);
    for (const table of [ACCOUNTS, LOG]) ctx.storage.sql.exec(table);
    ctx.storage.sql.exec(FILL, FUNDS);
  }

  transfer(from: string, to: string, amount: number): void {
    this.ctx.storage.transactionSync(() => {
      const { sql } = this.ctx.storage;
      sql.exec(TAKE, amount, from);
      sql.exec(GIVE, amount, to);
      sql.exec(NOTE, from, to, amount, Date.now());
    });
  }
}

interface Bindings extends WithFloor {
  ACCOUNT: DurableObjectNamespace<AccountDO>;
  SQL_ACCOUNTS: DurableObjectNamespace<SqlAccounts>;
  TILL: D1Database;
}

/** A ledger of the bench's region, so that its archive works as in a deployment. */
const ours = async ({ ACCOUNT }: Bindings, isFirst: boolean) => {
  const stub = ACCOUNT.getByName(`eu:account:${NAME}`);
  if (isFirst) await stub.deposit("a", FUNDS);
  return () => stub.transfer("a", "b", 1);
};

export const subjects: Subjects<Bindings> = {
  "transfer-sql": calls<Bindings>({
    naive: ({ SQL_ACCOUNTS }) => {
      const stub = SQL_ACCOUNTS.getByName(NAME);
      return () => stub.transfer("a", "b", 1);
    },
    ours,
  }),
  "transfer-in-d1": calls<Bindings>({
    naive: async ({ TILL }, isFirst) => {
      if (isFirst) await TILL.batch([TILL.prepare(ACCOUNTS), TILL.prepare(LOG), TILL.prepare(FILL).bind(FUNDS)]);
      const [take, give, note] = [TILL.prepare(TAKE), TILL.prepare(GIVE), TILL.prepare(NOTE)];
      return () => TILL.batch([take.bind(1, "a"), give.bind(1, "b"), note.bind("a", "b", 1, Date.now())]);
    },
    ours,
  }),
};
