/**
 * A ledger of named accounts. A payment happens wholly or not at all, and once per idempotency key: the check, the
 * entries, the balances and the remembered answer are one transaction.
 */
import { DurableObject } from "cloudflare:workers";
import { blobsOf } from "../objects/blobs.ts";
import { within } from "../objects/deadline.ts";
import { formatId, type Place, parseId, placeOfObject, stubAt } from "../objects/names.ts";
import { retry } from "../objects/retry.ts";
import { Schema } from "../objects/schema.ts";
import { Wake } from "../objects/wake.ts";
import { stackOf } from "../stack.ts";
import { accountsAfter, hasPeers, listAccounts, type NamedAccount, withMoney } from "./accounts.ts";
import { type Parcel, receive, send, type Taken } from "./across.ts";
import { Archive } from "./archive.ts";
import { type Audit, Auditor } from "./audit.ts";
import { beginAnew, type Currency, readBase, readCurrency } from "./book.ts";
import { Books } from "./books.ts";
import { GENESIS } from "./chain.ts";
import {
  type AccountChange,
  type AccountSet,
  hold,
  type Notes,
  noted,
  type Outcome,
  pay,
  type Refused,
  refused,
  reverse,
  setAccount,
  setCurrency,
  settle,
} from "./decide.ts";
import type { Draft, Request } from "./draft.ts";
import { Export, type ExportPart } from "./export.ts";
import { Head } from "./head.ts";
import { History, type Range, TooFar } from "./history.ts";
import { findReference, findSettled, readAnswer } from "./marks.ts";
import { Outbox } from "./outbox.ts";
import { ledger } from "./pattern.ts";
import { Payments } from "./payments.ts";
import { type Account, outside, type Transaction } from "./rules.ts";
import { stateOf, type TransferState } from "./state.ts";
import { type Told, tell } from "./told.ts";
import { openSends, type Page, readTransaction, transactionsAfter } from "./transactions.ts";
import { Upkeep } from "./upkeep.ts";

const NOTHING = { items: [], next: null };
/** How long another ledger may take to answer. */
const CALL_TIMEOUT_MS = 20_000;
/** What the alarm could not do is tried again so much later: money may wait for it. */
const CHORE_AGAIN_MS = 30_000;
/** How long the alarm waits while a step of the schema fails. */
const UNWRITABLE_MS = 60_000;
/** What one audit looks at, so that it takes the same time however large the ledger is. */
const MAX_AUDITED = { transactions: 5_000, accounts: 10_000 };

/** What a caller may add to a payment. */
export interface Options extends Notes {
  /** An idempotency key. */
  readonly key?: string | undefined;
  /** Puts the money aside for the payee, for so many seconds. */
  readonly holdSeconds?: number | undefined;
  /** The name of the place outside that money comes from or goes to. */
  readonly outside?: string | undefined;
}

/** An account of a ledger, such as `eu~main`. */
export interface FarAccount {
  readonly ledger: string;
  readonly account: string;
  /** Both, as the caller wrote them. */
  readonly written?: string;
}

/** An audit, and the archive's end: the transactions up to `archived` are there, and `head` is the hash of the last. */
export interface LedgerAudit extends Audit {
  readonly archived: number;
  readonly head: string;
  /** Transfers on their way to other ledgers. */
  readonly pending: number;
}

export class AccountDO extends DurableObject<Env> {
  readonly #schema: Schema;
  readonly #books: Books;
  readonly #outbox: Outbox;
  readonly #payments: Payments;
  readonly #wake: Wake;
  readonly #archive: Archive;
  readonly #history: History;
  readonly #head: Head;
  /** The account after which the next audit begins, if one cannot look at all of them. */
  #audited = "";
  readonly #upkeep: Upkeep;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#schema = new Schema(ctx.storage, ledger);
    this.#books = new Books(ctx.storage.sql, this.#schema);
    this.#wake = new Wake(ctx.storage, "ledger", CHORE_AGAIN_MS);
    this.#archive = new Archive({
      storage: ctx.storage,
      bucket: () => blobsOf(env, this.#place.region),
      name: ctx.id.name ?? "",
      self: () => formatId(this.#place),
    });
    this.#history = new History(ctx.storage.sql, this.#archive);
    this.#head = new Head(ctx.storage.sql, this.#archive);
    this.#outbox = new Outbox({
      // Most ledgers have no others. They need not look at every row when they wake.
      stored: () => (this.#isWritable && hasPeers(ctx.storage.sql) ? openSends(ctx.storage.sql) : []),
      currency: () => this.currency(),
      self: () => formatId(this.#place),
      call: (peer, parcel) => this.#call(peer, parcel),
      change: (decide) => this.#change(decide),
      waitUntil: (work) => ctx.waitUntil(work),
    });
    const parts = { books: this.#books, wake: this.#wake, outbox: this.#outbox, archive: this.#archive };
    this.#payments = new Payments({ ...parts, storage: ctx.storage, schema: this.#schema });
    const isWritable = () => this.#isWritable;
    this.#upkeep = new Upkeep({ ...parts, sql: ctx.storage.sql, isWritable, payments: this.#payments });
  }

  override async alarm(): Promise<void> {
    this.#wake.gone();
    if (this.#isWritable) await this.#upkeep.run();
    // A later release mends the step of the schema that failed, and holds and transfers are due until then.
    else if (!this.#schema.empty) this.#wake.by(Date.now() + UNWRITABLE_MS);
  }

  /**
   * Deletes the ledger with its transactions and its archive. If an account has money or owes some, or if money is on its
   * way, nothing is deleted, and some of these are named.
   */
  async remove(): Promise<readonly string[]> {
    const { storage } = this.ctx;
    if (!this.#schema.empty) {
      const left = [...withMoney(storage.sql), ...(this.#outbox.size > 0 ? ["transfers on their way"] : [])];
      if (left.length > 0) return left;
      // No await before the rows are gone, so that no payment is decided with balances that are about to be deleted.
      const last = this.#books.newest.seq;
      for (const part of [this.#books, this.#outbox, this.#archive, this.#head]) part.forget();
      if (hasPeers(storage.sql)) {
        storage.transactionSync(() => beginAnew(storage.sql, last));
      } else {
        this.#schema.forget();
        await this.#wake.wipe();
      }
    }
    // Last: if this fails, the caller deletes again, and the rows no longer need the archive.
    await this.#archive.clear();
    return [];
  }

  /** Moves `amount` (minor units) from one account to another, or puts it aside for the other. */
  transfer(from: string, to: string, amount: number, { key, ...options }: Options = {}): Promise<Told> {
    const { holdSeconds, memo, reference } = options;
    const payload = [from, to, amount, ...(hasMore(options) ? [holdSeconds, memo, reference] : [])];
    const payment = { payer: from, payee: to, amount, ...noted(options) };
    return this.#once({ key, payload }, (draft) =>
      holdSeconds === undefined ? pay(draft, payment) : hold(draft, payment, draft.now + holdSeconds * 1_000),
    );
  }

  /**
   * Sends `amount` to an account of another ledger. It is on its way when this returns. `create`, true by default:
   * whether also to a ledger that this one does not know, and that may be new.
   */
  send(
    from: string,
    to: FarAccount,
    amount: number,
    { key, create = true, ...notes }: Options & { readonly create?: boolean } = {},
  ): Promise<Told> {
    const { ledger: peer, account, written } = to;
    const payload = ["send", from, peer, account, amount, notes.memo, notes.reference];
    return this.#once({ key, payload }, (draft) =>
      // An older release let accounts have names that look like this.
      written !== undefined && draft.account(written).last > 0
        ? refused(
            "invalid-input",
            `to: this ledger has an account ${written} of its own, so it is not clear who is meant`,
          )
        : send(draft, { payer: from, ledger: peer, account, amount }, { create, ...notes }),
    );
  }

  /** Takes what another ledger sends. Only ledgers call this. */
  async receive(parcel: Parcel): Promise<readonly Taken[]> {
    return this.#change((draft) => receive(draft, parcel));
  }

  /** Brings money in from outside the ledger. */
  deposit(to: string, amount: number, { key, ...options }: Options = {}): Promise<Told> {
    return this.#pay(outside(options.outside), to, amount, { key, ...options });
  }

  /** Takes money out of the ledger. */
  withdraw(from: string, amount: number, { key, ...options }: Options = {}): Promise<Told> {
    return this.#pay(from, outside(options.outside), amount, { key, ...options });
  }

  /** Gives held money to the payee (`post`), or back to the payer (`void`). */
  async settle(seq: number, kind: "post" | "void", { key }: Options = {}): Promise<Told> {
    const original = await this.#original(seq);
    return this.#once({ key, payload: [kind, seq] }, (draft) => {
      const held = original();
      if (!held) return refused("not-found", `There is no transaction ${seq}`);
      if (held.kind !== "hold") return refused("invalid-input", `Transaction ${seq} holds no money`);
      return settle(draft, held, kind);
    });
  }

  /** Undoes a payment, once. */
  async reverse(seq: number, { key, ...notes }: Options = {}): Promise<Told> {
    const original = await this.#original(seq);
    return this.#once({ key, payload: ["reverse", seq, notes.memo, notes.reference] }, (draft) => {
      const paid = original();
      return paid ? reverse(draft, paid, notes) : refused("not-found", `There is no transaction ${seq}`);
    });
  }

  /** Freezes an account or frees it, or sets its overdraft. */
  setAccount(name: string, change: AccountChange): Promise<{ readonly outcome: AccountSet | Refused }> {
    return this.#change((draft) => ({ outcome: setAccount(draft, name, change) }));
  }

  /** Sets what the ledger is kept in, once and for ever. */
  setCurrency(currency: Currency): Promise<{ readonly outcome: { readonly ok: true } | Refused }> {
    return this.#change((draft) => ({ outcome: setCurrency(draft, currency) }));
  }

  currency(): Currency | undefined {
    return this.#isWritable ? readCurrency(this.ctx.storage.sql) : undefined;
  }

  /** A transaction with what became of it. */
  async find(seq: number): Promise<TransferState | undefined> {
    const transaction = await this.#transaction(seq);
    if (!transaction) return undefined;
    if (!this.#isWritable) return stateOf(transaction, undefined, undefined);
    const { sql } = this.ctx.storage;
    const by = findSettled(sql, seq);
    const end = by === undefined ? undefined : await this.#transaction(by);
    return stateOf(transaction, end, readTransaction(sql, seq) ? readAnswer(sql, seq) : "archived");
  }

  /** The same for the transaction with a caller's reference. */
  async findByReference(reference: string): Promise<TransferState | undefined> {
    const seq = this.#isWritable ? findReference(this.ctx.storage.sql, reference) : undefined;
    return seq === undefined ? undefined : this.find(seq);
  }

  /** An account; a new one for an unknown name, because anybody may pay to it. */
  account(name: string): Account {
    return this.#books.account(name);
  }

  /** The balance of an account. */
  balance(name: string): number {
    return this.account(name).balance;
  }

  /** A page of the accounts by name, after `cursor`, the last of the page before. */
  balances(cursor: string | undefined, limit: number): Page<NamedAccount, string> | "no such cursor" {
    if (this.#schema.empty) return cursor === undefined ? NOTHING : "no such cursor";
    return listAccounts(this.ctx.storage.sql, cursor, limit);
  }

  /**
   * A page of the transactions, of one account or all, newest first; from the `cursor` of the page before. Or why there is
   * none: the cursor is not of this list, or the question is too far to answer.
   */
  async transactions(
    account: string | undefined,
    range: Range,
    limit: number,
  ): Promise<Page<Transaction, number> | "no such cursor" | "too far"> {
    if (range.cursor !== undefined && !this.#has(range.cursor)) return "no such cursor";
    if (this.#schema.empty) return NOTHING;
    const asked =
      account === undefined
        ? this.#history.list(range, limit)
        : this.#history.listOf(account, this.account(account), range, limit);
    return asked.catch(tooFar);
  }

  /** The balance of an account at a time (ms since the epoch); undefined if that is too far to look up. */
  async balanceAt(name: string, at: number): Promise<number | undefined> {
    if (this.#schema.empty) return 0;
    const newest = await this.#history.newestOf(name, this.account(name), at).catch(tooFar);
    if (newest === "too far") return undefined;
    if (newest === undefined) return 0;
    return newest.payer === name ? newest.payerBalance : newest.payeeBalance;
  }

  /** A part of the whole ledger, to check elsewhere; undefined for a cursor that is none. */
  async exported(cursor: string): Promise<ExportPart | undefined> {
    if (!this.#isWritable) return cursor === "" ? { text: "", next: null } : undefined;
    const parts = { archive: this.#archive, self: () => formatId(this.#place) };
    return new Export(this.ctx.storage.sql, parts).part(cursor, this.#books.newest.seq);
  }

  /** Whether there is a transaction with this number, as a row or in the archive. */
  #has(seq: number): boolean {
    return seq <= this.#books.newest.seq && seq > readBase(this.ctx.storage.sql);
  }

  /**
   * Whether the ledger adds up, as far as its rows go: what is in the archive is checked by the command (docs/ledger.md).
   * It takes about the same time for every ledger. With very many accounts, each audit looks at some of them in turn.
   */
  async audit(): Promise<LedgerAudit> {
    const { sql } = this.ctx.storage;
    if (this.#schema.empty) return { ...new Auditor().end([]), archived: 0, head: GENESIS, pending: 0 };
    const sealed = this.#isWritable ? this.#archive.sealed : 0;
    const { seq: newest } = this.#books.newest;
    const begin = Math.max(sealed, newest - MAX_AUDITED.transactions);
    const rows = new Auditor(begin);
    for (const transaction of transactionsAfter(sql, begin, MAX_AUDITED.transactions)) rows.add(transaction);
    const accounts = this.#someAccounts();
    return {
      ...rows.end(accounts.items, accounts.areAll),
      archived: (this.#isWritable && this.#archive.newest?.last) || 0,
      pending: this.#outbox.size,
      head: this.#isWritable ? await this.#head.at(newest) : GENESIS,
    };
  }

  /** Accounts to audit: all, or the next ones after those of the last audit. */
  #someAccounts(): { readonly items: readonly NamedAccount[]; readonly areAll: boolean } {
    const { sql } = this.ctx.storage;
    const found = accountsAfter(sql, this.#audited, MAX_AUDITED.accounts + 1);
    const items = found.slice(0, MAX_AUDITED.accounts);
    const areAll = this.#audited === "" && found.length === items.length;
    this.#audited = found.length > items.length ? (items.at(-1)?.name ?? "") : "";
    return { items, areAll };
  }

  /** Whether there are tables, and all of them: a step of the schema may have failed. */
  get #isWritable(): boolean {
    return !this.#schema.empty && this.#schema.isCurrent;
  }

  /** @throws Error if the region table has lost the ledger's region. */
  get #place(): Place {
    const name = this.ctx.id.name ?? "";
    const place = placeOfObject(stackOf(this.env).regions, name);
    if (!place) throw new Error(`The ledger ${name} is in no region of this stack`);
    return place;
  }

  async #call(peer: string, parcel: Parcel): Promise<readonly Taken[]> {
    const parsed = parseId(stackOf(this.env).regions, peer);
    if ("fault" in parsed) throw new Error(`${peer}: ${parsed.fault}`);
    // An answer that comes later is no harm: the next call gets the same.
    return within(
      CALL_TIMEOUT_MS,
      retry(async () => stubAt(this.env, ledger, parsed.place).receive(parcel)),
    );
  }

  #change<T extends object>(decide: (draft: Draft) => T): Promise<T> {
    return this.#payments.change(decide);
  }

  async #once(request: Request, decide: (draft: Draft) => Outcome): Promise<Told> {
    return tell(await this.#change((draft) => draft.once(request, () => decide(draft))));
  }

  #pay(payer: string, payee: string, amount: number, { key, memo, reference }: Options): Promise<Told> {
    const notes = { memo, reference };
    const payload = [payer, payee, amount, ...(hasMore(notes) ? [memo, reference] : [])];
    return this.#once({ key, payload }, (draft) => pay(draft, { payer, payee, amount, ...noted(notes) }));
  }

  /**
   * A transaction that a change refers to, for when the change is decided: it never changes, but its ledger may be deleted
   * meanwhile, and the one in its place has others.
   */
  async #original(seq: number): Promise<() => Transaction | undefined> {
    const { generation } = this.#archive;
    const original = await this.#transaction(seq);
    return () => (generation === this.#archive.generation ? original : undefined);
  }

  async #transaction(seq: number): Promise<Transaction | undefined> {
    if (this.#schema.empty) return undefined;
    return this.#isWritable ? this.#archive.transaction(seq) : readTransaction(this.ctx.storage.sql, seq);
  }
}

/** What a history says that cannot be asked so far back. */
function tooFar(error: unknown): "too far" {
  if (error instanceof TooFar) return "too far";
  throw error;
}

const hasMore = (options: object) => Object.values(options).some((value) => value !== undefined);
