/** What a caller may ask of a ledger, decided on a draft. Whatever is refused changes nothing. */

import type { Currency } from "./book.ts";
import type { Draft } from "./draft.ts";
import { type Account, type Fault, faultOfPayment, fits, full, HELD, type Payment, type Transaction } from "./rules.ts";

/** The outcome of a change. */
export type Outcome = { readonly ok: true; readonly transaction: Transaction } | Refused;
/** `toNew`: only because it would go to a ledger that may be new, and the caller did not want to create one. */
export type Refused = { readonly ok: false; readonly fault: Fault; readonly toNew?: true };

export const refused = (kind: Fault["kind"], detail: string): Refused => ({ ok: false, fault: { kind, detail } });

/** What a caller writes beside a payment. */
export interface Notes {
  readonly memo?: string | undefined;
  readonly reference?: string | undefined;
}

/** Makes a payment if the rules allow it. */
export function pay(draft: Draft, payment: Payment): Outcome {
  const fault = faultOf(draft, payment);
  return fault ? { ok: false, fault } : { ok: true, transaction: draft.pay(payment) };
}

/** Why a payment may not be made. */
export function faultOf(draft: Draft, payment: Payment): Fault | undefined {
  const { reference } = payment;
  const fault = faultOfPayment(payment, partiesOf(draft, payment));
  // Asked last, so that nobody learns for nothing which references there are.
  if (fault || reference === undefined || draft.referred(reference) === undefined) return fault;
  return { kind: "reference-taken", detail: `Another transaction of this ledger has the reference ${reference}` };
}

/** Whether both accounts have room for a payment, whatever else stands against it. */
export const hasRoom = (draft: Draft, payment: Payment): boolean => fits(payment, partiesOf(draft, payment));

const partiesOf = (draft: Draft, { payer, payee }: Payment) => ({
  paying: draft.account(payer),
  paid: draft.account(payee),
});

/** Puts money aside for a payee, until `due` (ms since the epoch). */
export function hold(draft: Draft, { payer, payee, amount, ...notes }: Payment, due: number): Outcome {
  // The payee must be able to take the money now, so that a hold that cannot be posted is refused at once.
  const fault = faultOf(draft, { payer, payee, amount, ...notes });
  if (fault) return { ok: false, fault };
  const holding: Payment = { payer, payee: HELD, amount, kind: "hold", due, target: payee, ...notes };
  if (!hasRoom(draft, holding)) return { ok: false, fault: full() };
  const transaction = draft.pay(holding);
  draft.open({ seq: transaction.seq, due, payer, payee, amount });
  return { ok: true, transaction };
}

/** Gives held money to the payee (`post`), or back to the payer (`void`, `expire`). */
export function settle(draft: Draft, { seq }: Pick<Transaction, "seq">, kind: "post" | "void" | "expire"): Outcome {
  const held = draft.hold(seq);
  if (!held) {
    const by = draft.settledBy(seq);
    return refused("already-settled", `Transaction ${seq} was settled by transaction ${by}`);
  }
  // The alarm may be late: the time decides.
  if (kind === "post" && held.due <= draft.now) {
    return refused("already-settled", `Transaction ${seq} expired at ${new Date(held.due).toISOString()}`);
  }
  const [payee, target] = kind === "post" ? [held.payee, held.payer] : [held.payer, held.payee];
  const payment: Payment = { payer: HELD, payee, amount: held.amount, kind, of: seq, target };
  // Money goes back to whom it came from, even if that account is frozen by now.
  const fault = kind === "post" ? faultOf(draft, payment) : hasRoom(draft, payment) ? undefined : full();
  if (fault) return { ok: false, fault };
  const transaction = draft.pay(payment);
  draft.settle(seq, transaction.seq);
  return { ok: true, transaction };
}

/** Undoes a payment, once: its payee pays it back. */
export function reverse(draft: Draft, original: Transaction, notes: Notes): Outcome {
  const { seq, payee, amount, kind } = original;
  if (kind !== undefined && kind !== "post") {
    return refused("invalid-input", `Transaction ${seq} (${kind}) cannot be reversed; only a payment can`);
  }
  const by = draft.settledBy(seq);
  if (by !== undefined) return refused("already-settled", `Transaction ${seq} was reversed by transaction ${by}`);
  // What was posted came from the payer of the hold, and goes back there.
  const payer = (kind === "post" && original.target) || original.payer;
  const outcome = pay(draft, { payer: payee, payee: payer, amount, kind: "reversal", of: seq, ...noted(notes) });
  if (outcome.ok) draft.settle(seq, outcome.transaction.seq);
  return outcome;
}

/** Notes without what is not there. */
export const noted = ({ memo, reference }: Notes): { readonly memo?: string; readonly reference?: string } => ({
  ...(memo !== undefined && { memo }),
  ...(reference !== undefined && { reference }),
});

/** What may be changed of an account; what is missing stays. */
export interface AccountChange {
  readonly frozen?: boolean | undefined;
  readonly overdraft?: number | undefined;
}

export interface AccountSet {
  readonly ok: true;
  readonly account: Account;
}

/** Freezes an account or frees it, or sets how far below zero it may go. */
export function setAccount(draft: Draft, name: string, { frozen, overdraft }: AccountChange): AccountSet | Refused {
  const account = draft.account(name);
  const changed = { ...account, frozen: frozen ?? account.frozen, overdraft: overdraft ?? account.overdraft };
  if (account.balance < -changed.overdraft) {
    return refused("invalid-input", `overdraft: the account owes ${-account.balance}, so it must be at least that`);
  }
  draft.set(name, changed);
  return { ok: true, account: changed };
}

/** Sets what the ledger is kept in. It stays: amounts would mean something else. */
export function setCurrency(draft: Draft, currency: Currency): { readonly ok: true } | Refused {
  const before = draft.currency;
  if (!before && draft.hasTraded) {
    return refused("wrong-currency", "The ledger has exchanged money without a currency with others, so it stays so");
  }
  if (before && (before.currency !== currency.currency || before.minorUnits !== currency.minorUnits)) {
    return refused(
      "wrong-currency",
      `The ledger is kept in ${before.currency}, with ${before.minorUnits} minor digits`,
    );
  }
  if (!before) draft.currency = currency;
  return { ok: true };
}
