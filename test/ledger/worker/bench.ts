/** Ledgers under load. */
import type { AccountDO } from "../../../worker/ledger/ledger.ts";
import {
  type Call,
  calls,
  NAME,
  repeat,
  type Subjects,
  URL_OF_OBJECT,
  type WithFloor,
} from "../../bench/worker/load.ts";
import type { NaiveAccount } from "./naive.ts";

export { NaiveAccount } from "./naive.ts";

interface Bindings extends WithFloor {
  ACCOUNT: DurableObjectNamespace<AccountDO>;
  NAIVE_ACCOUNT: DurableObjectNamespace<NaiveAccount>;
  BANK: D1Database;
}

/** Transfers in the log when the measure begins: the most that the article's log keeps. */
const LOG = 1_000;
const FUNDS = 1e12;

/** A ledger of the bench's region, so that its archive works as in a deployment. */
const ledgerOf = (env: Bindings, id: string) => env.ACCOUNT.getByName(`eu:account:${id}`);

async function ours(env: Bindings, isFirst: boolean): Promise<Call> {
  const stub = ledgerOf(env, NAME);
  if (isFirst) {
    await stub.deposit("a", FUNDS);
    for (let i = 0; i < LOG; i++) await stub.transfer("a", "b", 1);
  }
  return () => stub.transfer("a", "b", 1);
}

/** One of the article's transfers. */
async function naive(env: Bindings, isFirst: boolean, id = NAME): Promise<Call> {
  const stub = env.NAIVE_ACCOUNT.getByName(id);
  if (isFirst) await stub.prepare();
  const body = JSON.stringify({ from: "a", to: "b", amount: 1 });
  return async () => (await stub.fetch(URL_OF_OBJECT, { method: "POST", body })).text();
}

/** A transfer in D1 as its documentation would have it: a batch, whose checks end it if money is missing. */
async function inD1({ BANK }: Bindings, isFirst: boolean): Promise<Call> {
  if (isFirst) {
    await BANK.batch([
      BANK.prepare("CREATE TABLE accounts (name TEXT PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0))"),
      BANK.prepare("CREATE TABLE log (payer TEXT, payee TEXT, amount INTEGER, at INTEGER)"),
      BANK.prepare("INSERT INTO accounts VALUES ('a', ?), ('b', 0)").bind(FUNDS),
    ]);
  }
  const take = BANK.prepare("UPDATE accounts SET balance = balance - ? WHERE name = ?");
  const give = BANK.prepare("UPDATE accounts SET balance = balance + ? WHERE name = ?");
  const log = BANK.prepare("INSERT INTO log VALUES (?, ?, ?, ?)");
  return () => BANK.batch([take.bind(1, "a"), give.bind(1, "b"), log.bind("a", "b", 1, Date.now())]);
}

export const subjects: Subjects<Bindings> = {
  transfer: calls<Bindings>({ naive, ours }),
  "transfer-d1": calls<Bindings>({ naive: inD1, ours }),
  send: async (env, side) => {
    if (side !== "ours") return sendElsewhere(env, side);
    const [here, there] = [ledgerOf(env, "here"), "there"];
    if ((await here.balance("a")) === 0) await here.deposit("a", FUNDS);
    return async (run) => {
      const start = Date.now();
      const { operations } = await repeat(() => here.send("a", { ledger: `eu~${there}`, account: "b" }, 1), run);
      // What counts is what has arrived.
      while ((await here.audit()).pending > 0) await scheduler.wait(1);
      return { operations, ms: Date.now() - start };
    };
  },
};

/** The article's way, with an object for each ledger. */
const sendElsewhere = calls<Bindings>({
  naive: async (env, isFirst) => {
    const [debit, credit] = [await naive(env, isFirst, "here"), await naive(env, isFirst, "there")];
    return async () => {
      await debit();
      await credit();
    };
  },
  ours,
});

/** Transfers that are made at the same time to fill a ledger. */
const AT_ONCE = 500;
/** Audits whose median is told. */
const AUDITS = 21;

/** What a ledger answers once it has so many transactions. */
export interface Audited {
  readonly transactions: number;
  readonly archived: number;
  /** The median of an audit, in ms. */
  readonly ms: number;
  readonly ok: boolean;
}

/** Fills the ledger until it has `?transactions=`, waits until the old ones are in the archive, and audits it. */
export async function visit(request: Request, env: Bindings): Promise<Response> {
  const wanted = Number(new URL(request.url).searchParams.get("transactions"));
  const stub = ledgerOf(env, "large");
  if ((await stub.balance("a")) === 0) await stub.deposit("a", FUNDS);
  for (let made = (await stub.audit()).transactions; made < wanted; made += AT_ONCE) {
    const count = Math.min(AT_ONCE, wanted - made);
    await Promise.all(Array.from({ length: count }, () => stub.transfer("a", "b", 1)));
  }
  while ((await stub.audit()).archived < wanted - 2_000) await scheduler.wait(10);
  const times: number[] = [];
  for (let turn = 0; turn < AUDITS; turn++) {
    const start = Date.now();
    await stub.audit();
    times.push(Date.now() - start);
  }
  const { transactions, archived, ok } = await stub.audit();
  const ms = times.toSorted((a, b) => a - b)[Math.floor(AUDITS / 2)] ?? 0;
  return Response.json({ transactions, archived, ms, ok } satisfies Audited);
}
