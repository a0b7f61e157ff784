/** Whether a history adds up, as plain arithmetic. */
import { type Account, isOwn, NEW_ACCOUNT, OUTSIDE, peerOf, type Transaction } from "./rules.ts";

/** The result of an audit. */
export interface Audit {
  readonly ok: boolean;
  /** Whether every account was looked at. */
  readonly complete: boolean;
  /** The callers' accounts that were looked at. */
  readonly accounts: number;
  /** The number of the newest transaction. */
  readonly transactions: number;
  /** The sum of all balances, with those of the ledger's own accounts. It must be 0; null if it was not formed. */
  readonly total: number | null;
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
 * `base`: where it begins, after the transaction of that number. What an account had then is taken from its first entry
 * after it; an account without one is not compared.
 */
export class Auditor {
  readonly #base: number;
  readonly #ends = new Map<string, End>();
  readonly #faults: string[] = [];
  #newest: number;

  constructor(base = 0) {
    this.#base = base;
    this.#newest = base;
  }

  get newest(): number {
    return this.#newest;
  }

  /** Takes the next transaction. Returns what is wrong with it. */
  add({ seq, payer, payee, amount, ...entries }: Transaction): readonly string[] {
    const before = this.#faults.length;
    if (seq !== this.#newest + 1) this.#faults.push(`transaction ${this.#newest + 1} is missing`);
    this.#newest = seq;
    this.#follow(seq, payer, -amount, { balance: entries.payerBalance, previous: entries.payerPrevious });
    this.#follow(seq, payee, amount, { balance: entries.payeeBalance, previous: entries.payeePrevious });
    return this.#faults.slice(before);
  }

  /** Compares the accounts with their entries. `complete`: whether these are all accounts. */
  end(accounts: Iterable<Account & { readonly name: string }>, complete = true): Audit {
    const faults = this.#faults;
    let total = 0n;
    let count = 0;
    for (const { name, balance, last, overdraft } of accounts) {
      const isBefore = !this.#ends.has(name) && last > 0 && last <= this.#base;
      const end = isBefore ? { balance, last } : (this.#ends.get(name) ?? NEW_ACCOUNT);
      if (balance !== end.balance) faults.push(`account ${name}: has ${balance}, its entries add up to ${end.balance}`);
      if (last !== end.last) faults.push(`account ${name}: ends at transaction ${last}, not ${end.last}`);
      if (balance < -overdraft && !name.startsWith(OUTSIDE) && peerOf(name) === undefined) {
        faults.push(`account ${name}: is below ${overdraft > 0 ? `its overdraft of ${overdraft}` : "zero"}`);
      }
      this.#ends.delete(name);
      total += BigInt(balance);
      count += isOwn(name) ? 0 : 1;
    }
    if (complete) {
      for (const name of this.#ends.keys()) faults.push(`account ${name}: is missing, but has entries`);
      if (total !== 0n) faults.push(`all balances add up to ${total}, not 0`);
    }
    return {
      ok: faults.length === 0,
      complete,
      accounts: count,
      transactions: this.#newest,
      total: complete ? Number(total) : null,
      faults: faults.slice(0, MAX_FAULTS),
    };
  }

  /** Follows one account's chain to its entry in transaction `seq`, which changed its balance by `change`. */
  #follow(seq: number, name: string, change: number, { balance, previous }: Entry): void {
    const isFirst = !this.#ends.has(name) && previous > 0 && previous <= this.#base;
    const before = isFirst ? { balance: balance - change, last: previous } : (this.#ends.get(name) ?? NEW_ACCOUNT);
    const say = (what: string) => this.#faults.push(`transaction ${seq}: ${name} ${what}`);
    if (previous !== before.last) say(`follows ${previous}, not ${before.last}`);
    const due = before.balance + change;
    if (balance !== due) say(`has ${balance}, its entries add up to ${due}`);
    this.#ends.set(name, { balance, last: seq });
  }
}
