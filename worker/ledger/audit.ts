/** Whether a history adds up, as plain arithmetic. */
import { type Account, isOwn, NEW_ACCOUNT, peerOf, type Transaction } from "./rules.ts";

/** The result of an audit. */
export interface Audit {
  readonly ok: boolean;
  /** The callers' accounts. */
  readonly accounts: number;
  /** The number of the newest transaction. */
  readonly transactions: number;
  /** The sum of all balances, with those of the ledger's own accounts. It must be 0. */
  readonly total: number;
  /** The first few things that do not add up. */
  readonly faults: readonly string[];
}

/** An account's half of a transaction: its balance after it, and the number of its previous transaction. */
interface Entry {
  readonly balance: number;
  readonly previous: number;
}
type End = Pick<Account, "balance" | "last">;

const MAX_FAULTS = 20;

/**
 * Checks a ledger's transactions in order: the numbers have no gap, each entry's balance is the one before it plus its
 * amount, each account's entries form one chain, and the last entry is the one that the account names.
 *
 * `base`: the transactions up to this number are in the archive. What an account had then is taken from its first entry
 * after it; an account without one is not compared.
 */
export function audit(
  accounts: Iterable<Account & { readonly name: string }>,
  transactions: Iterable<Transaction>,
  base = 0,
): Audit {
  const faults: string[] = [];
  const ends = new Map<string, End>();
  let newest = base;

  /** Follows one account's chain to its entry in transaction `seq`, which changed its balance by `change`. */
  const follow = (seq: number, name: string, change: number, { balance, previous }: Entry) => {
    const isFirst = !ends.has(name) && previous > 0 && previous <= base;
    const before = isFirst ? { balance: balance - change, last: previous } : (ends.get(name) ?? NEW_ACCOUNT);
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

  let total = 0n;
  let count = 0;
  for (const { name, balance, last, overdraft } of accounts) {
    const isArchived = !ends.has(name) && last > 0 && last <= base;
    const end = isArchived ? { balance, last } : (ends.get(name) ?? NEW_ACCOUNT);
    if (balance !== end.balance) faults.push(`account ${name}: has ${balance}, its entries add up to ${end.balance}`);
    if (last !== end.last) faults.push(`account ${name}: ends at transaction ${last}, not ${end.last}`);
    if (balance < -overdraft && !name.startsWith("@outside") && peerOf(name) === undefined) {
      faults.push(`account ${name}: is below ${overdraft > 0 ? `its overdraft of ${overdraft}` : "zero"}`);
    }
    ends.delete(name);
    total += BigInt(balance);
    count += isOwn(name) ? 0 : 1;
  }
  for (const name of ends.keys()) faults.push(`account ${name}: is missing, but has entries`);
  if (total !== 0n) faults.push(`all balances add up to ${total}, not 0`);
  const ok = faults.length === 0;
  return { ok, accounts: count, transactions: newest, total: Number(total), faults: faults.slice(0, MAX_FAULTS) };
}
