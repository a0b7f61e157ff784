/**
 * Money between two ledgers, decided on a draft. The ledger that pays books it to the account of the other ledger
 * (`send`), and tells it until that has answered. The other one takes each number once, in order, and books it from its
 * account of the first (`receive`), or refuses it. What was refused goes back to its payer (`refund`).
 */

import type { Currency } from "./book.ts";
import { faultOf, hasRoom, type Notes, noted, type Outcome, pay, refused } from "./decide.ts";
import type { Draft } from "./draft.ts";
import { type Fault, peerAccount, type Transaction } from "./rules.ts";

/** A transfer on its way. */
export interface Send {
  /** Its number in the ledger that sends it. */
  readonly seq: number;
  readonly payer: string;
  /** The account that it is for, in the other ledger. */
  readonly payee: string;
  readonly amount: number;
  readonly memo?: string;
}

/** All that one call brings. */
export interface Parcel {
  /** The ledger that sends it, such as `eu~main`. */
  readonly from: string;
  readonly currency: Currency | undefined;
  /** In the order of their numbers; the first is the oldest without an answer. */
  readonly sends: readonly Send[];
}

/** What became of a transfer. `seq` and `at`: its number and time in the ledger that took it, if it was new. */
export type Taken =
  | { readonly ok: true; readonly seq?: number; readonly at?: number }
  | { readonly ok: false; readonly fault: Fault };

/** Pays to an account of another ledger, such as `eu~main`. `create`: also to one that this ledger does not know. */
export function send(
  draft: Draft,
  { payer, ledger, account, amount }: { payer: string; ledger: string; account: string; amount: number },
  { create, ...notes }: Notes & { readonly create: boolean },
): Outcome {
  const payee = peerAccount(ledger);
  const payment = { payer, payee, amount, kind: "send", target: account, ...noted(notes) } as const;
  const { last, received } = draft.account(payee);
  if (!create && last === 0 && received === 0 && !faultOf(draft, payment)) {
    return { ...refused("not-found", `This ledger knows no ledger ${ledger} yet`), toNew: true };
  }
  const outcome = pay(draft, payment);
  if (outcome.ok) draft.sends.push(outcome.transaction);
  return outcome;
}

/** Takes what another ledger sends. A transfer that came before gets the answer that it had. */
export function receive(draft: Draft, { from, currency, sends }: Parcel): readonly Taken[] {
  const peer = peerAccount(from);
  const [oldest] = sends;
  if (oldest) draft.forgetRefusals(from, oldest.seq);
  return sends.map(({ seq, payer, payee, amount, memo }): Taken => {
    if (seq <= draft.account(peer).received) {
      const fault = draft.refusal(from, seq);
      return fault ? { ok: false, fault } : { ok: true };
    }
    const payment = {
      payer: peer,
      payee,
      amount,
      kind: "receive",
      of: seq,
      target: payer,
      ...noted({ memo }),
    } as const;
    const fault = faultOfCurrency(draft, currency) ?? faultOf(draft, payment);
    const taken: Taken = fault ? { ok: false, fault } : { ok: true, ...numberOf(draft.pay(payment)) };
    draft.set(peer, { ...draft.account(peer), received: seq });
    if (!taken.ok) draft.refuse(from, seq, taken.fault);
    return taken;
  });
}

const numberOf = ({ seq, at }: Transaction) => ({ seq, at });

function faultOfCurrency(draft: Draft, theirs: Currency | undefined): Fault | undefined {
  const ours = draft.currency;
  if (ours?.currency === theirs?.currency && ours?.minorUnits === theirs?.minorUnits) return undefined;
  const named = (one: Currency | undefined) => (one ? `${one.currency} with ${one.minorUnits} digits` : "no currency");
  return { kind: "wrong-currency", detail: `The ledgers differ: ${named(theirs)} was sent, ${named(ours)} is kept` };
}

/**
 * Writes what became of transfers to another ledger, and gives back what was refused. Returns the numbers that are
 * settled: all but those whose payer cannot take the money back, because the account is full.
 */
export function settleSends(
  draft: Draft,
  ledger: string,
  sends: readonly Send[],
  answers: readonly Taken[],
): { readonly settled: ReadonlySet<number> } {
  const settled = new Set<number>();
  for (const [index, send] of sends.entries()) {
    const taken = answers[index];
    if (!taken) throw new Error(`The ledger ${ledger} answered ${answers.length} of ${sends.length} transfers`);
    const refunded = taken.ok ? undefined : refund(draft, ledger, send, taken.fault);
    if (refunded === "full") continue;
    draft.settleSend(send.seq, { at: draft.now, by: taken.ok ? taken.seq : undefined });
    settled.add(send.seq);
  }
  return { settled };
}

/** Gives a refused transfer back to its payer, once. */
function refund(draft: Draft, ledger: string, send: Send, { detail }: Fault): "full" | "refunded" {
  if (draft.settledBy(send.seq) !== undefined) return "refunded";
  const { payer: payee, payee: target, amount, seq: of } = send;
  const payment = { payer: peerAccount(ledger), payee, amount, kind: "refund", of, target, memo: detail } as const;
  if (!hasRoom(draft, payment)) return "full";
  draft.settle(send.seq, draft.pay(payment).seq);
  return "refunded";
}
