/**
 * The rules of a ledger, as plain arithmetic: who may pay how much, and whether a history adds up.
 *
 * Every transaction takes from one account exactly what it gives to another, so money neither appears nor vanishes.
 * Deposits come from `OUTSIDE`, the only account that may be below zero: it owes all the money that is in the ledger,
 * so all balances together are always 0.
 */

/** Where deposits come from and withdrawals go to. No caller can write this name. */
export const OUTSIDE = "@outside";
/** The most minor units of an amount, and of all money in a ledger: SQLite's integers reach JavaScript as doubles. */
export const MAX_AMOUNT = Number.MAX_SAFE_INTEGER;

/** An account as of its newest transaction. An unknown account is `NEW_ACCOUNT`. */
export interface Account {
  balance: number;
  /** The number of its newest transaction; 0 if it has none. */
  last: number;
}
export const NEW_ACCOUNT: Account = { balance: 0, last: 0 };

/** A transaction with both its entries: each account's balance after it, and the number of its previous transaction. */
export interface Transaction {
  seq: number;
  payer: string;
  payee: string;
  amount: number;
  payerBalance: number;
  payeeBalance: number;
  payerPrevious: number;
  payeePrevious: number;
  /** ms since the epoch. For order, use `seq`. */
  at: number;
}

/** Why a payment is refused. */
export interface Fault {
  kind: "insufficient-balance" | "ledger-full";
  detail: string;
}

/** Why `payer` may not pay `amount`, in the article's words if it has any; undefined if it may. */
export function faultOfPayment(payer: string, { balance }: Account, amount: number): Fault | undefined {
  if (payer !== OUTSIDE && balance < amount) {
    return { kind: "insufficient-balance", detail: `Insufficient balance: ${balance} < ${amount}` };
  }
  // All money came from outside, so this bounds every balance and every sum of balances.
  if (payer === OUTSIDE && amount - balance > MAX_AMOUNT) {
    return { kind: "ledger-full", detail: `Ledger full: it may hold at most ${MAX_AMOUNT} in all` };
  }
  return undefined;
}

/** What one account pays to another. */
export interface Payment {
  payer: string;
  payee: string;
  amount: number;
}

/** The transaction of an allowed payment, from the accounts as they are before it. */
export function transactionOf(
  { payer, payee, amount }: Payment,
  { paying, paid }: { paying: Account; paid: Account },
  { seq, at }: { seq: number; at: number },
): Transaction {
  const payerBalance = paying.balance - amount;
  const payeeBalance = paid.balance + amount;
  const previous = { payerPrevious: paying.last, payeePrevious: paid.last };
  return { seq, payer, payee, amount, payerBalance, payeeBalance, ...previous, at };
}

/** The result of an audit. */
export interface Audit {
  ok: boolean;
  accounts: number;
  transactions: number;
  /** The sum of all balances, with that of `OUTSIDE`. It must be 0. */
  total: number;
  /** The first few things that do not add up. */
  faults: string[];
}

/** An account's half of a transaction: its balance after it, and the number of its previous transaction. */
interface Entry {
  readonly balance: number;
  readonly previous: number;
}

const MAX_FAULTS = 20;

/**
 * Checks a ledger's transactions in order: the numbers have no gap, each entry's balance is the one before it plus its
 * amount, each account's entries form one chain, and the last entry is the one that the account names.
 */
export function audit(accounts: Iterable<Account & { name: string }>, transactions: Iterable<Transaction>): Audit {
  const faults: string[] = [];
  const ends = new Map<string, Account>();
  let newest = 0;

  /** Follows one account's chain to its entry in transaction `seq`, which changed its balance by `change`. */
  const follow = (seq: number, name: string, change: number, { balance, previous }: Entry) => {
    const before = ends.get(name) ?? NEW_ACCOUNT;
    if (previous !== before.last) faults.push(`transaction ${seq}: ${name} follows ${previous}, not ${before.last}`);
    const due = before.balance + change;
    if (balance !== due) faults.push(`transaction ${seq}: ${name} has ${balance}, its entries add up to ${due}`);
    ends.set(name, { balance, last: seq });
  };
  for (const { seq, payer, payee, amount, ...entries } of transactions) {
    if (seq !== newest + 1) faults.push(`transaction ${newest + 1} is missing`);
    newest = seq;
    follow(seq, payer, -amount, { balance: entries.payerBalance, previous: entries.payerPrevious });
    follow(seq, payee, amount, { balance: entries.payeeBalance, previous: entries.payeePrevious });
  }

  let total = 0;
  let count = 0;
  for (const { name, balance, last } of accounts) {
    const end = ends.get(name) ?? NEW_ACCOUNT;
    if (balance !== end.balance) faults.push(`account ${name}: has ${balance}, its entries add up to ${end.balance}`);
    if (last !== end.last) faults.push(`account ${name}: ends at transaction ${last}, not ${end.last}`);
    if (balance < 0 && name !== OUTSIDE) faults.push(`account ${name}: is below zero`);
    ends.delete(name);
    total += balance;
    count += name === OUTSIDE ? 0 : 1;
  }
  for (const name of ends.keys()) faults.push(`account ${name}: is missing, but has entries`);
  if (total !== 0) faults.push(`all balances add up to ${total}, not 0`);
  const ok = faults.length === 0;
  return { ok, accounts: count, transactions: newest, total, faults: faults.slice(0, MAX_FAULTS) };
}
