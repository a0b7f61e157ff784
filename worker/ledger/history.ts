/** Reads a ledger's transactions in one order, newest first, whether they are rows or in the archive. */
import type { Archive } from "./archive.ts";
import { segmentAfter, segmentWith } from "./book.ts";
import type { Account, Transaction } from "./rules.ts";
import { listTransactions, listTransactionsOf, newestOf, newestUntil, type Page } from "./transactions.ts";

/** The most segments that are fetched for one question. */
const MAX_FETCHED = 30;

/** What to list. Times are ms since the epoch; both ends belong to the range. */
export interface Range {
  readonly cursor?: number | undefined;
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

/** The question needs more segments than one answer may fetch. */
export class TooFar extends Error {}

export class History {
  readonly #sql: SqlStorage;
  readonly #archive: Archive;

  constructor(sql: SqlStorage, archive: Archive) {
    this.#sql = sql;
    this.#archive = archive;
  }

  /** A page of all transactions. */
  async list(range: Range, limit: number): Promise<Page<Transaction, number>> {
    const end = (await this.#end(range.until)) ?? Number.MAX_SAFE_INTEGER;
    const from = Math.min(range.cursor ?? end, end);
    const found: Transaction[] = [...listTransactions(this.#sql, from, limit + 1)];
    for (let next = found.at(-1)?.seq ?? from + 1; found.length <= limit; ) {
      const segment = segmentWith(this.#sql, Math.min(next - 1, this.#archive.sealed));
      if (!segment || segment.first >= next) break;
      const part = (await this.#archive.read(segment)).slice(0, next - segment.first);
      found.push(...part.slice(-(limit + 1 - found.length)).reverse());
      next = found.at(-1)?.seq ?? 0;
    }
    return pageOf(found, limit, range);
  }

  /**
   * A page of the transactions of one account. It may be short, because the account's transactions can be in many
   * segments: the cursor says whether there are more.
   */
  async listOf(
    name: string,
    account: Account,
    range: Range,
    limit: number,
  ): Promise<Page<Transaction, number> | "no such cursor"> {
    if (range.cursor !== undefined) {
      const first = await this.#archive.transaction(range.cursor);
      if (!first || (first.payer !== name && first.payee !== name)) return "no such cursor";
    }
    const end =
      range.until === undefined ? account.last : ((await this.newestOf(name, account, range.until))?.seq ?? 0);
    const from = Math.min(range.cursor ?? end, end);
    const found: Transaction[] = [...listTransactionsOf(this.#sql, name, from, limit + 1)];
    const last = found.at(-1);
    let next = last ? previousOf(last, name) : from;
    const fetched = new Set<number>();
    while (next > 0 && found.length <= limit) {
      const segment = segmentWith(this.#sql, next);
      if (segment && !this.#archive.has(segment) && fetched.size === MAX_FETCHED) {
        const { items } = pageOf(found, limit, range);
        return { items, next: items.length === found.length ? next : null };
      }
      if (segment) fetched.add(segment.number);
      const transaction = await this.#archive.transaction(next);
      if (!transaction) break;
      found.push(transaction);
      next = previousOf(transaction, name);
    }
    return pageOf(found, limit, range);
  }

  /**
   * The newest transaction of an account that is not after a time. It goes two ways in turn, and the shorter one ends
   * it: back along the account's own transactions, and down from the time through all. @throws TooFar
   */
  async newestOf(name: string, account: Account, until: number): Promise<Transaction | undefined> {
    const end = await this.#end(until);
    if (end === undefined || account.last === 0) return undefined;
    if (account.last <= end) return this.#archive.transaction(account.last);
    let along = account.last;
    let down = end;
    for (let fetched = 0; fetched < MAX_FETCHED; fetched++) {
      const step = await this.#archive.transaction(along);
      along = step ? previousOf(step, name) : 0;
      if (along === 0) return undefined;
      if (along <= end) return this.#archive.transaction(along);
      const row = newestOf(this.#sql, name, down);
      if (row) return row;
      const segment = segmentWith(this.#sql, Math.min(down, this.#archive.sealed));
      if (!segment || segment.first > down) return undefined;
      const found = (await this.#archive.read(segment)).findLast(
        ({ seq, payer, payee }) => seq <= down && (payer === name || payee === name),
      );
      if (found) return found;
      down = segment.first - 1;
    }
    throw new TooFar(`${name} has moved too much since, and too little before, to be looked up at that time`);
  }

  /** The number of the newest transaction that is not after a time; undefined for all, 0 if there is none. */
  async #end(until: number | undefined): Promise<number | undefined> {
    if (until === undefined) return undefined;
    const row = newestUntil(this.#sql, until);
    if (row !== undefined) return row;
    const segment = segmentAfter(this.#sql, until);
    if (!segment) return this.#archive.sealed;
    const inside = (await this.#archive.read(segment)).findLast(({ at }) => at <= until);
    return inside?.seq ?? segment.first - 1;
  }
}

/** The account's transaction before this one; 0 if it is its first. */
const previousOf = ({ payer, payerPrevious, payeePrevious }: Transaction, name: string) =>
  payer === name ? payerPrevious : payeePrevious;

function pageOf(found: readonly Transaction[], limit: number, { since = 0 }: Range): Page<Transaction, number> {
  const items = found.slice(0, limit).filter(({ at }) => at >= since);
  const next = found[limit];
  return { items, next: next && next.at >= since ? next.seq : null };
}
