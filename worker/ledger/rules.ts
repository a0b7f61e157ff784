/**
 * The rules of a ledger, as plain arithmetic: who may pay what, and whether a history adds up.
 *
 * Every transaction takes from one account exactly what it gives to another, so money neither appears nor vanishes.
 * What comes from elsewhere comes from `OUTSIDE`, the one account that may be below zero: it owes the ledger what is
 * in it, and all balances together are always 0.
 */

/** Where deposits come from and withdrawals go to. No caller can write this name. */
export const OUTSIDE = "@outside";
/** Of an amount and of all money in a ledger, in minor units: SQLite's integers reach JavaScript as doubles. */
export const MAX_AMOUNT = Number.MAX_SAFE_INTEGER;

/** An account as of its newest transaction. One never heard of is `NEW_ACCOUNT`. */
export interface Account {
  balance: number;
  /** The number of its newest transaction; 0 without one. */
  last: number;
}
export const NEW_ACCOUNT: Account = { balance: 0, last: 0 };

/** A transaction with both its entries: each account's balance after it, and the number of its transaction before. */
export interface Transaction {
  seq: number;
  payer: string;
  payee: string;
  amount: number;
  payerBalance: number;
  payeeBalance: number;
  payerPrevious: number;
  payeePrevious: number;
  /** ms since the epoch. Says when, not in which order: `seq` does that. */
  at: number;
}

/** Why a payment is refused. */
export interface Fault {
  kind: "insufficient-balance" | "ledger-full";
  detail: string;
}

/** Why `payer` may not pay `amount`, in the article's words where it has some; undefined where it may. */
export function faultOfPayment(payer: string, { balance }: Account, amount: number): Fault | undefined {
  if (payer !== OUTSIDE && balance < amount) {
    return { kind: "insufficient-balance", detail: `Insufficient balance: ${balance} < ${amount}` };
  }
  // All money came from outside, so this bounds every balance and every sum of balances.
  if (payer === OUTSIDE && amount - balance > MAX_AMOUNT) {
    return { kind: "ledger-full", detail: `Ledger full: all its money together may not pass ${MAX_AMOUNT}` };
  }
  return undefined;
}

/** What one account pays to another. */
export interface Payment {
  payer: string;
  payee: string;
  amount: number;
}

/** The transaction of a payment that is not refused, from the accounts as they are before it. */
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

/** The result of going through a whole ledger. */
export interface Audit {
  ok: boolean;
  accounts: number;
  transactions: number;
  /** The sum of all balances, with the outside's: 0 where money is conserved. */
  total: number;
  /** What does not add up, the first few. */
  faults: string[];
}

/** An account's half of a transaction: its balance afterwards, and the number of its transaction before. */
interface Entry {
  readonly balance: number;
  readonly previous: number;
}

const MAX_FAULTS = 20;

/**
 * Goes through a ledger's transactions in order and compares: the numbers have no gap, each entry's balance is the one
 * before it plus its amount, each account's entries form one chain, and every account ends where it says it does.
 */
export function audit(accounts: Iterable<Account & { name: string }>, transactions: Iterable<Transaction>): Audit {
  const faults: string[] = [];
  const ends = new Map<string, Account>();
  let newest = 0;

  /** The end of one account's chain moves on by an entry of transaction `seq`, which changed it by `change`. */
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
  for (const name of ends.keys()) faults.push(`account ${name}: has entries and is missing`);
  if (total !== 0) faults.push(`all balances add up to ${total}, not 0`);
  const ok = faults.length === 0;
  return { ok, accounts: count, transactions: newest, total, faults: faults.slice(0, MAX_FAULTS) };
}
