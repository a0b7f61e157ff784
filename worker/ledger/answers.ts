/** What a ledger answers over HTTP. */
import type { Context } from "hono";
import * as v from "valibot";
import type { App } from "../http/context.ts";
import { permits } from "../http/may.ts";
import { Integer, Moment } from "../http/numbers.ts";
import { ledger } from "./pattern.ts";
import { isOwn, peerOf, type Transaction } from "./rules.ts";
import { STATES, type TransferState } from "./state.ts";

const entry = {
  /** The transaction's number in its ledger. */
  id: v.string(),
  /** What it is, if not a plain payment: `hold`, `post`, `send` and so on. */
  kind: v.optional(v.string()),
  from: v.string(),
  /** An account; of another ledger: `<ledger>/<account>`. */
  to: v.string(),
  amount: Integer,
  /** The transaction that this one posts, voids, refunds or reverses. Of `receive`: its number in the other ledger. */
  of: v.optional(v.string()),
  /** Of `hold`: when it expires. */
  expires: v.optional(Moment),
  memo: v.optional(v.string()),
  reference: v.optional(v.string()),
  /** The balances after it, of those accounts that the caller may read. */
  balances: v.record(v.string(), Integer),
};
/** A transaction. */
export const Entry = v.object({ ...entry, timestamp: Moment });
/** A transaction that was just made; `pending` while it is held, or on its way to another ledger. */
export const Moved = v.object({ success: v.literal(true), ...entry, state: v.optional(v.literal("pending")) });
/** A transaction with what became of it. */
export const Transfer = v.object({
  ...Entry.entries,
  state: v.picklist(STATES),
  settledAt: v.optional(Moment),
  /** The transaction that ended it; of a completed send, its number in the other ledger. */
  settledBy: v.optional(v.string()),
});
export const Balance = v.object({
  account: v.string(),
  balance: Integer,
  frozen: v.optional(v.literal(true)),
  /** How far below zero the balance may be. */
  overdraft: v.optional(Integer),
});
/** What a ledger is kept in; without a currency until one is set. */
export const Book = v.object({
  ledger: v.string(),
  currency: v.optional(v.string()),
  minorUnits: v.optional(Integer),
});
export const AuditAnswer = v.object({
  ok: v.boolean(),
  /** Whether every account was looked at. */
  complete: v.boolean(),
  accounts: Integer,
  transactions: Integer,
  total: v.nullable(Integer),
  faults: v.array(v.string()),
  /** The transactions up to this number are in the archive. */
  archived: Integer,
  /** The hash of the last of them, which stands for all before it. */
  head: v.string(),
  /** Transfers on their way to other ledgers. */
  pending: Integer,
});
/** Where the next page begins; null after the last. */
export const Cursor = v.nullable(v.string());

/** An account for an answer, without what is as usual. */
export function balanceOf(
  account: string,
  { balance, frozen, overdraft }: { balance: number; frozen: boolean; overdraft: number },
): v.InferOutput<typeof Balance> {
  return { account, balance, ...(frozen && { frozen }), ...(overdraft > 0 && { overdraft }) };
}

type Entry = v.InferOutput<typeof Entry>;

/** Who pays whom, as callers write it: the ledger's own accounts stand for others. */
function partiesOf({ kind, payer, payee, target }: Transaction): { readonly from: string; readonly to: string } {
  const [payerLedger, payeeLedger] = [peerOf(payer), peerOf(payee)];
  if (payeeLedger !== undefined) return { from: payer, to: `${payeeLedger}/${target}` };
  if (payerLedger !== undefined) return { from: `${payerLedger}/${target}`, to: payee };
  if (kind === "hold") return { from: payer, to: target ?? payee };
  if (kind === "post") return { from: target ?? payer, to: payee };
  return { from: payer, to: payee };
}

/** Formats transactions for a caller, without the balances of accounts that they may not read. */
export async function entryFor(c: Context<App>): Promise<(transaction: Transaction) => Entry> {
  const mayRead = await permits(c, ledger, "read");
  return (transaction) => {
    const { seq, kind, payer, payee, amount, payerBalance, payeeBalance, of, due, memo, reference, at } = transaction;
    const balances = [[payer, payerBalance] as const, [payee, payeeBalance] as const];
    const seen = balances.filter(([name]) => !isOwn(name) && mayRead({ owner: name }));
    return {
      id: String(seq),
      ...(kind !== undefined && { kind }),
      ...partiesOf(transaction),
      amount,
      ...(of !== undefined && { of: String(of) }),
      ...(due !== undefined && { expires: due }),
      ...(memo !== undefined && { memo }),
      ...(reference !== undefined && { reference }),
      balances: Object.fromEntries(seen),
      timestamp: at,
    };
  };
}

/** What became of a transfer, for its parties; undefined for others. */
export async function transferFor(
  c: Context<App>,
  { transaction, state, at, by }: TransferState,
): Promise<v.InferOutput<typeof Transfer> | undefined> {
  const mayRead = await permits(c, ledger, "read");
  const { payer, payee, target } = transaction;
  const isLocal = peerOf(payer) === undefined && peerOf(payee) === undefined;
  const parties = [payer, payee, ...(isLocal && target !== undefined ? [target] : [])];
  // A key that may find transfers may find all of them.
  const mayFind = c.get("caller")?.kind === "service";
  if (!mayFind && !parties.some((owner) => mayRead({ owner }))) return undefined;
  return {
    ...(await entryFor(c))(transaction),
    state,
    ...(at !== undefined && { settledAt: at }),
    ...(by !== undefined && { settledBy: String(by) }),
  };
}
