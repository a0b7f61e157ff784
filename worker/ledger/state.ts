/** What became of a transaction after it was written. */

import type { SendAnswer } from "./marks.ts";
import type { Kind, Transaction } from "./rules.ts";

/**
 * `pending`: held, or on its way to another ledger. `completed`: it is as it was written; of a send, the other ledger has
 * it. Otherwise what ended it.
 */
export const STATES = ["pending", "completed", "posted", "voided", "expired", "refused", "reversed"] as const;
export type State = (typeof STATES)[number];

export interface TransferState {
  readonly transaction: Transaction;
  readonly state: State;
  /** When that became so (ms since the epoch); undefined for a pending one, or if that is not kept any more. */
  readonly at: number | undefined;
  /** The transaction that ended it. Of a completed send: its number in the other ledger. */
  readonly by: number | undefined;
}

const ENDS: { readonly [K in Kind]?: State } = {
  post: "posted",
  void: "voided",
  expire: "expired",
  refund: "refused",
  reversal: "reversed",
};

/**
 * `end`: the transaction that settled or reversed it. `answer`: of a send, what the other ledger said. A send in the
 * archive has an answer, but that is not kept there.
 */
export function stateOf(
  transaction: Transaction,
  end: Transaction | undefined,
  answer: SendAnswer | "archived" | undefined,
): TransferState {
  const pending = { transaction, state: "pending", at: undefined, by: undefined } as const;
  const state = end?.kind && ENDS[end.kind];
  if (end && state) return { transaction, state, at: end.at, by: end.seq };
  if (transaction.kind === "hold") return pending;
  if (transaction.kind !== "send") return { transaction, state: "completed", at: transaction.at, by: undefined };
  if (answer === undefined) return pending;
  return { transaction, state: "completed", ...(answer === "archived" ? { at: undefined, by: undefined } : answer) };
}
