/** HTTP routes of the ledgers, mounted under /account. One object is one ledger; accounts are names inside it. */
import type { Context } from "hono";
import * as v from "valibot";
import { chargeForNew } from "../http/charge.ts";
import type { App } from "../http/context.ts";
import { Hono } from "../http/hono.ts";
import { idempotencyKey, keyConflict, makeChange, REPLAYED_HEADER } from "../http/idempotency.ts";
import { may } from "../http/may.ts";
import { describe, sends } from "../http/openapi.ts";
import { refusal } from "../http/problem.ts";
import { body, params, query } from "../http/validation.ts";
import { formatId, objectFor, parseId, placeOf } from "../objects/names.ts";
import { retry } from "../objects/retry.ts";
import { stackOf } from "../stack.ts";
import {
  AuditAnswer,
  Balance,
  Book,
  balanceOf,
  Cursor,
  Entry,
  entryFor,
  Moved,
  Transfer as TransferAnswer,
  transferFor,
} from "./answers.ts";
import type { Outcome } from "./decide.ts";
import type { Once } from "./draft.ts";
import {
  AccountChange,
  accountOf,
  Currency,
  Deposit,
  Ledger,
  Name,
  NO_SUCH_CURSOR,
  PageSize,
  Reference,
  Reversal,
  Time,
  TransactionCursor,
  Transfer,
  TransferId,
  Withdrawal,
} from "./inputs.ts";
import type { AccountDO } from "./ledger.ts";
import { ledger } from "./pattern.ts";
import type { TransferState } from "./state.ts";
import { heard, type Told } from "./told.ts";

/** The ledger of the article's own route, POST /account/transfer. */
const MAIN = "main";
/** Of an export: the cursor of the next part. Missing after the last. */
const NEXT_HEADER = "Ledger-Next";
const NDJSON = "application/x-ndjson";

const transferring = describe("Moves money from one account to another, or to one of another ledger", { 200: Moved });

export const routes = new Hono()
  .use(async (c, next) => {
    c.set("problemFields", { success: false });
    await next();
  })
  .post("/transfer", transferring, idempotencyKey, body(Transfer), may(ledger, "transfer", payer), async (c) =>
    c.json(await transfer(c, MAIN, c.req.valid("json"))),
  )
  .post(
    "/:ledger/transfer",
    transferring,
    params(Ledger),
    idempotencyKey,
    body(Transfer),
    may(ledger, "transfer", payer),
    async (c) => c.json(await transfer(c, c.req.valid("param").ledger, c.req.valid("json"))),
  )
  .post(
    "/:ledger/deposit",
    describe("Brings money into a ledger", { 200: Moved }),
    may(ledger, "deposit"),
    params(Ledger),
    idempotencyKey,
    body(Deposit),
    crossing("deposit"),
  )
  .post(
    "/:ledger/withdraw",
    describe("Takes money out of a ledger", { 200: Moved }),
    may(ledger, "withdraw"),
    params(Ledger),
    idempotencyKey,
    body(Withdrawal),
    crossing("withdraw"),
  )
  .get(
    "/:ledger/transfers",
    describe("The transaction with a reference, and what became of it", { 200: TransferAnswer }),
    params(Ledger),
    query(v.object({ reference: Reference })),
    may(ledger, "find"),
    async (c) => {
      const { reference } = c.req.valid("query");
      const { ledger: id } = c.req.valid("param");
      const found = await retry(() => ledgerOf(c, id).findByReference(reference));
      return c.json(await toParty(c, found, `There is no transaction with the reference ${reference}`));
    },
  )
  .get(
    "/:ledger/transfers/:id",
    describe("A transaction, and what became of it", { 200: TransferAnswer }),
    params(TransferId),
    may(ledger, "find"),
    async (c) => {
      const { ledger: id, id: seq } = c.req.valid("param");
      const found = await retry(() => ledgerOf(c, id).find(seq));
      return c.json(await toParty(c, found, `There is no transaction ${seq}`));
    },
  )
  .post(
    "/:ledger/transfers/:id/post",
    describe("Gives held money to the payee", { 200: Moved }),
    may(ledger, "settle"),
    params(TransferId),
    idempotencyKey,
    settling("post"),
  )
  .post(
    "/:ledger/transfers/:id/void",
    describe("Gives held money back", { 200: Moved }),
    may(ledger, "settle"),
    params(TransferId),
    idempotencyKey,
    settling("void"),
  )
  .post(
    "/:ledger/transfers/:id/reverse",
    describe("Undoes a payment, once", { 200: Moved }),
    may(ledger, "reverse"),
    params(TransferId),
    idempotencyKey,
    body(Reversal),
    async (c) => {
      const { ledger: id, id: seq } = c.req.valid("param");
      const notes = c.req.valid("json");
      return c.json(await make(c, id, (stub, key) => stub.reverse(seq, { key, ...notes })));
    },
  )
  .put(
    "/:ledger/accounts/:name",
    describe("Freezes an account, or sets how far below zero it may go", { 200: Balance }),
    params(v.object({ ...Ledger.entries, name: Name })),
    may(ledger, "manage"),
    body(AccountChange),
    async (c) => {
      const { ledger: id, name } = c.req.valid("param");
      const { outcome } = await retry(() => ledgerOf(c, id).setAccount(name, c.req.valid("json")));
      if (!outcome.ok) throw refusal(outcome.fault.kind, outcome.fault.detail);
      return c.json(balanceOf(name, outcome.account));
    },
  )
  .get(
    "/:ledger/balances/:name",
    describe("The balance of an account", { 200: Balance }),
    params(v.object({ ...Ledger.entries, name: Name })),
    query(v.object({ at: v.optional(Time) })),
    may(ledger, "read", ({ req }: Valid<{ param: { name: string } }>) => ({ owner: req.valid("param").name })),
    async (c) => {
      const { ledger: id, name } = c.req.valid("param");
      const { at } = c.req.valid("query");
      if (at !== undefined) {
        const balance = await retry(() => ledgerOf(c, id).balanceAt(name, at));
        if (balance === undefined) throw tooFar("at");
        return c.json({ account: name, balance });
      }
      return c.json(balanceOf(name, await retry(() => ledgerOf(c, id).account(name))));
    },
  )
  .get(
    "/:ledger/balances",
    describe("All balances, by name", { 200: v.object({ balances: v.array(Balance), cursor: Cursor }) }),
    may(ledger, "list"),
    params(Ledger),
    query(v.object({ cursor: v.optional(v.string()), limit: PageSize })),
    async (c) => {
      const { cursor, limit } = c.req.valid("query");
      const page = await retry(async () => ledgerOf(c, c.req.valid("param").ledger).balances(cursor, limit));
      if (page === "no such cursor") throw noSuchCursor();
      const { items, next } = page;
      return c.json({ balances: items.map((account) => balanceOf(account.name, account)), cursor: next });
    },
  )
  .get(
    "/:ledger/transactions",
    describe("The transactions of a ledger, or of one account, newest first", {
      200: v.object({ transactions: v.array(Entry), cursor: Cursor }),
    }),
    params(Ledger),
    query(
      v.object({
        account: v.optional(Name),
        cursor: v.optional(TransactionCursor),
        since: v.optional(Time),
        until: v.optional(Time),
        limit: PageSize,
      }),
    ),
    may(ledger, "read", ({ req }: Valid<{ query: { account?: string | undefined } }>) => ({
      owner: req.valid("query").account,
    })),
    async (c) => {
      const { account: name, limit, ...range } = c.req.valid("query");
      const { ledger: id } = c.req.valid("param");
      const page = await retry(async () => ledgerOf(c, id).transactions(name, range, limit));
      if (page === "too far") throw tooFar("until");
      if (page === "no such cursor") throw noSuchCursor();
      const { items, next } = page;
      return c.json({ transactions: items.map(await entryFor(c)), cursor: next === null ? null : String(next) });
    },
  )
  .get(
    "/:ledger/export",
    describe("The whole ledger in parts, to check with `npm run ledger`", {
      200: sends("Lines of JSON; the header Ledger-Next has the cursor of the next part", NDJSON),
    }),
    may(ledger, "export"),
    params(Ledger),
    query(v.object({ cursor: v.optional(v.string(), "") })),
    async (c) => {
      const { cursor } = c.req.valid("query");
      const part = await retry(() => ledgerOf(c, c.req.valid("param").ledger).exported(cursor));
      if (!part) throw refusal("invalid-input", `cursor: must be that of the header ${NEXT_HEADER} of the part before`);
      const { text, next } = part;
      if (next !== null) c.header(NEXT_HEADER, next);
      return c.body(text, 200, { "Content-Type": NDJSON });
    },
  )
  .get(
    "/:ledger",
    describe("What a ledger is kept in", { 200: Book }),
    params(Ledger),
    may(ledger, "find"),
    async (c) => {
      const { ledger: id } = c.req.valid("param");
      return c.json({ ledger: id, ...(await retry(() => ledgerOf(c, id).currency())) });
    },
  )
  .put(
    "/:ledger",
    describe("Sets what a ledger is kept in, once", { 200: Book }),
    params(Ledger),
    may(ledger, "manage"),
    body(Currency),
    async (c) => {
      const { ledger: id } = c.req.valid("param");
      const { outcome } = await retry(() => ledgerOf(c, id).setCurrency(c.req.valid("json")));
      if (!outcome.ok) throw refusal(outcome.fault.kind, outcome.fault.detail);
      return c.json({ ledger: id, ...c.req.valid("json") });
    },
  )
  .delete(
    "/:ledger",
    describe("Deletes a ledger that has no money, with its transactions", { 200: v.object({ ok: v.literal(true) }) }),
    may(ledger, "delete"),
    params(Ledger),
    async (c) => {
      const left = await retry(() => ledgerOf(c, c.req.valid("param").ledger).remove());
      if (left.length > 0) {
        throw refusal("not-empty", `The ledger has money, or owes some; bring these to 0 first: ${left.join(", ")}`);
      }
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
type Valid<Checked extends object> = Context<App, string, { out: Checked }>;

/** The owner of the account that pays. */
function payer({ req }: Valid<{ json: { from: string } }>) {
  return { owner: req.valid("json").from };
}

/** Brings money into a ledger (`deposit`), or takes it out (`withdraw`). */
function crossing(kind: "deposit" | "withdraw") {
  return async (
    c: Valid<{ param: v.InferOutput<typeof Ledger>; json: v.InferOutput<typeof Deposit | typeof Withdrawal> }>,
  ) => {
    const { account, amount, ...options } = c.req.valid("json");
    const { ledger: id } = c.req.valid("param");
    return c.json(await make(c, id, (stub, key) => stub[kind](account, amount, { key, ...options })));
  };
}

/** Gives held money to the payee (`post`), or back (`void`). */
function settling(kind: "post" | "void") {
  return async (c: Valid<{ param: v.InferOutput<typeof TransferId> }>) => {
    const { ledger: id, id: seq } = c.req.valid("param");
    return c.json(await make(c, id, (stub, key) => stub.settle(seq, kind, { key })));
  };
}

const ledgerOf = (c: Context<App>, id: string) => objectFor(c, ledger, id);

/** Pays inside a ledger, or to another one. */
async function transfer(
  c: Context<App>,
  id: string,
  { from, to, amount, holdSeconds, ...notes }: v.InferOutput<typeof Transfer>,
) {
  const [account, far] = [accountOf(to), to.slice(0, Math.max(to.indexOf("/"), 0))];
  const other = far === "" ? undefined : ledgerIn(c, far);
  if (other === undefined || other === formatId(placeOf(c, id))) {
    if (account === from) throw refusal("invalid-input", "to: must be another account than from");
    return make(c, id, (stub, key) => stub.transfer(from, account, amount, { key, holdSeconds, ...notes }));
  }
  if (holdSeconds !== undefined) {
    throw refusal("invalid-input", "holdSeconds: money can be held only for an account of the same ledger");
  }
  const there = { ledger: other, account, written: to };
  const send = async (create: boolean) =>
    heard(await makeChange(c, (key) => ledgerOf(c, id).send(from, there, amount, { key, create, ...notes })));
  const once = await send(false);
  if (!("outcome" in once) || once.outcome.ok || !once.outcome.toNew) return answered(c, once);
  // Also if the other ledger will refuse the money: it must remember that.
  await chargeForNew(c);
  return answered(c, await send(true));
}

/** The ledger of a payee, always with its region. */
function ledgerIn(c: Context<App>, written: string): string {
  const parsed = parseId(stackOf(c.env).regions, written);
  if ("fault" in parsed) throw refusal("invalid-input", `to: ${parsed.fault.replace("the id", "the ledger")}`);
  return formatId(parsed.place);
}

/** Makes a change of a ledger, once for the request's key. */
async function make(
  c: Context<App>,
  id: string,
  change: (stub: DurableObjectStub<AccountDO>, key: string | undefined) => Promise<Told>,
) {
  return answered(c, heard(await makeChange(c, (key) => change(ledgerOf(c, id), key))));
}

/** What the caller is told of a change, or the refusal. */
async function answered(c: Context<App>, once: Once<Outcome>) {
  if ("keyConflict" in once) throw keyConflict();
  const { outcome, replayed } = once;
  if (!outcome.ok) throw refusal(outcome.fault.kind, outcome.fault.detail);
  if (replayed) c.header(REPLAYED_HEADER, "true");
  const { transaction } = outcome;
  const { timestamp: _, ...moved } = (await entryFor(c))(transaction);
  const isPending = transaction.kind === "hold" || transaction.kind === "send";
  return { success: true, ...moved, ...(isPending && { state: "pending" }) };
}

const noSuchCursor = () => refusal("invalid-input", `cursor: ${NO_SUCH_CURSOR}`);

const tooFar = (field: string) =>
  refusal(
    "invalid-input",
    `${field}: the account has moved too much since then to be asked; the admin can ask an export: npm run ledger -- balance`,
  );

/** A transfer for one of its parties. Whoever is none learns no more than that it is not theirs to see. */
async function toParty(c: Context<App>, found: TransferState | undefined, missing: string) {
  const shown = found && (await transferFor(c, found));
  if (!shown) throw refusal("not-found", missing);
  return shown;
}
