/**
 * The rules of a ledger, as plain arithmetic: who may pay how much, and what a payment leaves.
 *
 * Every transaction takes from one account exactly what it gives to another, so money neither appears nor vanishes: all
 * balances together are always 0. Only the ledger's own accounts may owe without a limit: they stand for money that is
 * elsewhere. No caller can write their names, which begin with `@`.
 */

/** Where deposits come from and withdrawals go to. A named one, such as a bank, is `@outside:<name>`. */
export const OUTSIDE = "@outside";
/** Where money waits that is held for a payee. */
export const HELD = "@held";
const LEDGER = "@ledger:";
/** The most minor units of an amount and of a balance: SQLite's integers reach JavaScript as doubles. */
export const MAX_AMOUNT = Number.MAX_SAFE_INTEGER;

/** The account of a place outside the ledger. */
export const outside = (name?: string): string => (name === undefined ? OUTSIDE : `${OUTSIDE}:${name}`);
/** The account for all that went to another ledger (below zero: all that came from it). `ledger`: such as `eu~main`. */
export const peerAccount = (ledger: string): string => `${LEDGER}${ledger}`;
/** The ledger of a peer's account; undefined for other accounts. */
export const peerOf = (account: string): string | undefined =>
  account.startsWith(LEDGER) ? account.slice(LEDGER.length) : undefined;
/** Whether an account is the ledger's own, and not a caller's. */
export const isOwn = (account: string): boolean => account.startsWith("@");
const mayOwe = (account: string) => account.startsWith(OUTSIDE) || account.startsWith(LEDGER);

/** An account as of its newest transaction. An unknown account is `NEW_ACCOUNT`. */
export interface Account {
  readonly balance: number;
  /** The number of its newest transaction; 0 if it has none. */
  readonly last: number;
  /** How far below zero its balance may be. */
  readonly overdraft: number;
  /** Whether it neither pays nor is paid. */
  readonly frozen: boolean;
  /** Of a peer's account: the number, in that ledger, of the last transfer that was taken from it. */
  readonly received: number;
}
export const NEW_ACCOUNT: Account = { balance: 0, last: 0, overdraft: 0, frozen: false, received: 0 };

/**
 * What a transaction is, if not a plain payment. `hold` puts money aside; `post` gives it to the payee, `void` and
 * `expire` give it back. `send` takes money to another ledger, `refund` brings back what that refused, and `receive` is
 * the other side. `reversal` undoes a payment.
 */
export const KINDS = ["hold", "post", "void", "expire", "send", "receive", "refund", "reversal"] as const;
export type Kind = (typeof KINDS)[number];

/** What one account pays to another, and what is written beside it. */
export interface Payment {
  readonly payer: string;
  readonly payee: string;
  readonly amount: number;
  readonly kind?: Kind;
  /** The transaction that this one posts, voids, refunds or reverses. Of `receive`: its number in the other ledger. */
  readonly of?: number;
  /** Of `hold`: when it expires (ms since the epoch). */
  readonly due?: number;
  /** Of `hold`: who is to be paid. Of `send` and `receive`: the account in the other ledger. */
  readonly target?: string;
  readonly memo?: string;
  /** The caller's own name for it, which no other transaction of the ledger has. */
  readonly reference?: string;
}

/** A transaction with both its entries: each account's balance after it, and the number of its previous transaction. */
export interface Transaction extends Payment {
  readonly seq: number;
  readonly payerBalance: number;
  readonly payeeBalance: number;
  readonly payerPrevious: number;
  readonly payeePrevious: number;
  /** ms since the epoch, never less than that of the transaction before. */
  readonly at: number;
}

/** Why a payment is refused. */
export interface Fault {
  readonly kind:
    | "insufficient-balance"
    | "ledger-full"
    | "account-frozen"
    | "reference-taken"
    | "not-found"
    | "already-settled"
    | "wrong-currency"
    | "invalid-input";
  readonly detail: string;
}

interface Parties {
  readonly paying: Account;
  readonly paid: Account;
}

/** Why `payer` may not pay `amount`, in the article's words if it has any; undefined if it may. */
export function faultOfPayment(payment: Payment, accounts: Parties): Fault | undefined {
  const { payer, payee, amount } = payment;
  const { paying, paid } = accounts;
  const frozen = (name: string): Fault => ({ kind: "account-frozen", detail: `The account ${name} is frozen` });
  if (paying.frozen) return frozen(payer);
  const available = paying.balance + paying.overdraft;
  if (!mayOwe(payer) && available < amount) {
    return { kind: "insufficient-balance", detail: `Insufficient balance: ${available} < ${amount}` };
  }
  // What the payer could not pay anyway says nothing about the payee.
  if (paid.frozen) return frozen(payee);
  return fits(payment, accounts) ? undefined : full();
}

/** Whether both balances stay whole numbers under 2^53 if the payment is made. */
export const fits = ({ amount }: Payment, { paying, paid }: Parties): boolean =>
  amount - paying.balance <= MAX_AMOUNT && paid.balance + amount <= MAX_AMOUNT;

/** The fault of a payment that does not fit. */
export const full = (): Fault => ({
  kind: "ledger-full",
  detail: `Ledger full: an account may hold or owe at most ${MAX_AMOUNT}`,
});

/** The transaction of an allowed payment, from the accounts as they are before it. */
export function transactionOf(
  payment: Payment,
  { paying, paid }: Parties,
  { seq, at }: { readonly seq: number; readonly at: number },
): Transaction {
  return {
    ...payment,
    seq,
    payerBalance: paying.balance - payment.amount,
    payeeBalance: paid.balance + payment.amount,
    payerPrevious: paying.last,
    payeePrevious: paid.last,
    at,
  };
}
