/** HTTP routes of the ledgers, mounted under /account. One object is one ledger; accounts are names inside it. */
import { type Context, Hono } from "hono";
import * as v from "valibot";
import type { App } from "../http/context.ts";
import { idempotencyKey, keyConflict, makeChange, REPLAYED_HEADER } from "../http/idempotency.ts";
import { may, permits } from "../http/may.ts";
import { describe } from "../http/openapi.ts";
import { refusal } from "../http/problem.ts";
import { Id } from "../http/user-id.ts";
import { body, params, query, wholeNumber } from "../http/validation.ts";
import { objectFor } from "../objects/names.ts";
import { retry } from "../objects/retry.ts";
import type { Paid } from "./draft.ts";
import type { AccountDO } from "./ledger.ts";
import { ledger } from "./pattern.ts";
import { MAX_AMOUNT, OUTSIDE, type Transaction } from "./rules.ts";

/** The ledger of the article's own route, POST /account/transfer. */
const MAIN = "main";
const DEFAULT_PAGE = 50;
const MAX_PAGE = 200;

/** An account has the id of its user as its name. */
const Name = Id;
const Amount = v.pipe(
  v.number("must be a number"),
  v.integer("must be an integer, in minor units"),
  v.minValue(1, "must be at least 1"),
  v.maxValue(MAX_AMOUNT, "must be under 2^53"),
);
const Transfer = v.pipe(
  v.strictObject({ from: Name, to: Name, amount: Amount }),
  v.forward(
    v.partialCheck([["from"], ["to"]], ({ from, to }) => from !== to, "must be another account than from"),
    ["to"],
  ),
);
const Payable = v.strictObject({ account: Name, amount: Amount });
const Ledger = v.object({ ledger: v.string() });
const PageSize = v.optional(wholeNumber(1, MAX_PAGE), String(DEFAULT_PAGE));

const Moved = v.object({
  success: v.literal(true),
  from: v.string(),
  to: v.string(),
  amount: v.number(),
  /** The transaction's number in its ledger. */
  id: v.string(),
  /** The balances after it: of both accounts, or only of the one that the caller may read. */
  balances: v.record(v.string(), v.number()),
});
const Balance = v.object({ account: v.string(), balance: v.number() });
const Entry = v.object({
  id: v.string(),
  from: v.string(),
  to: v.string(),
  amount: v.number(),
  balances: v.record(v.string(), v.number()),
  /** ms since the epoch. For order, use the id. */
  timestamp: v.number(),
});
/** Where the next page begins; null after the last. */
const Cursor = v.nullable(v.string());
const AuditAnswer = v.object({
  ok: v.boolean(),
  accounts: v.number(),
  transactions: v.number(),
  total: v.number(),
  faults: v.array(v.string()),
});

const transferring = describe("Moves money from one account to another", { 200: Moved });

export const routes = new Hono<App>()
  .use(async (c, next) => {
    c.set("problemFields", { success: false });
    await next();
  })
  .post("/transfer", transferring, idempotencyKey, body(Transfer), may(ledger, "transfer", payer), async (c) => {
    const { from, to, amount } = c.req.valid("json");
    return c.json(await pay(c, MAIN, (ledger, key) => ledger.transfer(from, to, amount, key)));
  })
  .post(
    "/:ledger/transfer",
    transferring,
    params(Ledger),
    idempotencyKey,
    body(Transfer),
    may(ledger, "transfer", payer),
    async (c) => {
      const { from, to, amount } = c.req.valid("json");
      const { ledger: id } = c.req.valid("param");
      return c.json(await pay(c, id, (ledger, key) => ledger.transfer(from, to, amount, key)));
    },
  )
  .post(
    "/:ledger/deposit",
    describe("Brings money into a ledger", { 200: Moved }),
    may(ledger, "deposit"),
    params(Ledger),
    idempotencyKey,
    body(Payable),
    async (c) => {
      const { account: to, amount } = c.req.valid("json");
      return c.json(await pay(c, c.req.valid("param").ledger, (ledger, key) => ledger.deposit(to, amount, key)));
    },
  )
  .post(
    "/:ledger/withdraw",
    describe("Takes money out of a ledger", { 200: Moved }),
    may(ledger, "withdraw"),
    params(Ledger),
    idempotencyKey,
    body(Payable),
    async (c) => {
      const { account: from, amount } = c.req.valid("json");
      return c.json(await pay(c, c.req.valid("param").ledger, (ledger, key) => ledger.withdraw(from, amount, key)));
    },
  )
  .get(
    "/:ledger/balances/:name",
    describe("The balance of an account", { 200: Balance }),
    params(v.object({ ...Ledger.entries, name: Name })),
    may(ledger, "read", ({ req }: Valid<"param", { name: string }>) => ({ owner: req.valid("param").name })),
    async (c) => {
      const { ledger, name } = c.req.valid("param");
      return c.json({ account: name, balance: await retry(() => ledgerOf(c, ledger).balance(name)) });
    },
  )
  .get(
    "/:ledger/balances",
    describe("All balances, by name", { 200: v.object({ balances: v.array(Balance), cursor: Cursor }) }),
    may(ledger, "list"),
    params(Ledger),
    query(v.object({ cursor: v.optional(Name), limit: PageSize })),
    async (c) => {
      const { cursor, limit } = c.req.valid("query");
      const { items, next } = await retry(() => ledgerOf(c, c.req.valid("param").ledger).balances(cursor, limit));
      return c.json({ balances: items.map(({ name, balance }) => ({ account: name, balance })), cursor: next });
    },
  )
  .get(
    "/:ledger/transactions",
    describe("The transactions of a ledger, or of one account, newest first", {
      200: v.object({ transactions: v.array(Entry), cursor: Cursor }),
    }),
    params(Ledger),
    query(v.object({ account: v.optional(Name), cursor: v.optional(wholeNumber(1, MAX_AMOUNT)), limit: PageSize })),
    may(ledger, "read", ({ req }: Valid<"query", { account?: string | undefined }>) => ({
      owner: req.valid("query").account,
    })),
    async (c) => {
      const { account: name, cursor, limit } = c.req.valid("query");
      const { ledger } = c.req.valid("param");
      const { items, next } = await retry(() => ledgerOf(c, ledger).transactions(name, cursor, limit));
      return c.json({ transactions: items.map(await entryFor(c)), cursor: next === null ? null : String(next) });
    },
  )
  .delete(
    "/:ledger",
    describe("Deletes a ledger that has no money, with its transactions", { 200: v.object({ ok: v.literal(true) }) }),
    may(ledger, "delete"),
    params(Ledger),
    async (c) => {
      const gone = await retry(() => ledgerOf(c, c.req.valid("param").ledger).remove());
      if (!gone) throw refusal("not-empty", "The ledger has money in it; withdraw all of it first");
      return c.json({ ok: true });
    },
  )
  .get(
    "/:ledger/audit",
    describe("Whether the ledger adds up", { 200: AuditAnswer }),
    may(ledger, "audit"),
    params(Ledger),
    async (c) => c.json(await retry(() => ledgerOf(c, c.req.valid("param").ledger).audit())),
  );

/** The context after the validation of a body, a query or parameters. */
type Valid<Target extends string, Checked> = Context<App, string, { out: Record<Target, Checked> }>;

/** The owner of the account that pays. */
function payer({ req }: Valid<"json", { from: string }>) {
  return { owner: req.valid("json").from };
}

const ledgerOf = (c: Context<App>, id: string) => objectFor(c, ledger, id);

async function pay(
  c: Context<App>,
  id: string,
  make: (ledger: DurableObjectStub<AccountDO>, key: string | undefined) => Promise<Paid>,
) {
  const paid = await makeChange(c, (key) => make(ledgerOf(c, id), key));
  if ("keyConflict" in paid) throw keyConflict();
  const { outcome, replayed } = paid;
  if (!outcome.ok) throw refusal(outcome.fault.kind, outcome.fault.detail);
  if (replayed) c.header(REPLAYED_HEADER, "true");
  const { timestamp: _, ...moved } = (await entryFor(c))(outcome.transaction);
  return { success: true, ...moved };
}

/** Formats a transaction for the caller, without the balances of accounts that they may not read. */
async function entryFor(c: Context<App>): Promise<(transaction: Transaction) => v.InferOutput<typeof Entry>> {
  const mayRead = await permits(c, ledger, "read");
  return ({ seq, payer, payee, amount, payerBalance, payeeBalance, at }) => {
    const balances = [[payer, payerBalance] as const, [payee, payeeBalance] as const];
    const seen = balances.filter(([name]) => name !== OUTSIDE && mayRead({ owner: name }));
    return { id: String(seq), from: payer, to: payee, amount, balances: Object.fromEntries(seen), timestamp: at };
  };
}
