/**
 * The older transactions of a ledger, in R2: segments of a thousand in a hash chain (chain.ts). A segment is in the
 * bucket before its rows are deleted. Its bytes follow from its rows alone, so that a seal that was cut off is made again
 * and writes the same. What is read back must have the hash that was kept.
 */
import { sha256 } from "../../contract/secrets.ts";
import { BUCKET_MS, deleteFiles, filesOf, readFile } from "../objects/blobs.ts";
import { within } from "../objects/deadline.ts";
import { dropOldest } from "../objects/memory.ts";
import { damaged, notRead } from "../objects/retry.ts";
import { newestSegment, readBase, type Segment, segmentWith, writeSegment } from "./book.ts";
import { entryIn, GENESIS, headerLine, linesOf, SEGMENT } from "./chain.ts";
import type { Transaction } from "./rules.ts";
import { readTransaction, transactionsAfter } from "./transactions.ts";

/** At least so many transactions stay rows. */
const KEPT = 1_000;
/** After a failure, the bucket is tried again so much later. */
const WAIT_MS = 60_000;
/** Segments that are kept in memory after they were read: 4 are about 1 MB. */
const MAX_CACHED = 4;

interface Parts {
  readonly storage: DurableObjectStorage;
  /** @throws Error if the stack has no bucket for the ledger's jurisdiction. */
  readonly bucket: () => R2Bucket;
  /** The name of the ledger's object. */
  readonly name: string;
  /** This ledger, such as `eu~main`. */
  readonly self: () => string;
}

export class Archive {
  readonly #parts: Parts;
  readonly #cached = new Map<number, readonly Transaction[]>();
  #newest: Segment | null | undefined;
  #base: number | undefined;
  #notBefore = 0;
  #generation = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** How often the ledger was deleted since this began. */
  get generation(): number {
    return this.#generation;
  }

  /** The newest segment. Ask only if there are tables. */
  get newest(): Segment | undefined {
    if (this.#newest === undefined) this.#newest = newestSegment(this.#parts.storage.sql) ?? null;
    return this.#newest ?? undefined;
  }

  /** The hash of its last transaction; that of none before the first segment. */
  get head(): string {
    return this.newest?.head ?? GENESIS;
  }

  /** The number of the newest transaction that is no row any more. */
  get sealed(): number {
    if (this.newest) return this.newest.last;
    this.#base ??= readBase(this.#parts.storage.sql);
    return this.#base;
  }

  /**
   * When to seal (ms since the epoch); undefined if there is nothing to seal. The newest transaction is `last`, and from
   * the number `open` on they must stay rows.
   */
  due(last: number, open: number, now: number): number | undefined {
    const isDue = last - this.sealed >= SEGMENT + KEPT && this.sealed + SEGMENT < open;
    return isDue ? Math.max(now, this.#notBefore) : undefined;
  }

  /** Seals a segment, if one is due (`due` says what the numbers mean). False if there was none to seal. */
  async seal(last: number, open: number, now: number): Promise<boolean> {
    const { sealed, generation } = this;
    if (this.due(last, open, now) !== now) return false;
    const { segment, text } = await this.#nextSegment();
    if (!(await this.#put(segment, text))) {
      this.#notBefore = now + WAIT_MS;
      return false;
    }
    // The ledger may have been deleted meanwhile, with its archive, and may have a segment of this number again.
    if (this.generation !== generation) {
      if ((this.#newest?.number ?? 0) < segment.number) await this.#parts.bucket().delete(this.#key(segment.number));
      return false;
    }
    // Another alarm may have sealed the same.
    if (this.sealed !== sealed) return false;
    const { storage } = this.#parts;
    storage.transactionSync(() => writeSegment(storage.sql, segment));
    this.#newest = segment;
    return true;
  }

  /** The segment after the newest, and its bytes. @throws Error if it has a gap */
  async #nextSegment(): Promise<{ readonly segment: Segment; readonly text: string }> {
    const { sealed, head: start } = this;
    const { hash: previous = GENESIS, number: before = 0 } = this.newest ?? {};
    const transactions = transactionsAfter(this.#parts.storage.sql, sealed, SEGMENT);
    const [from, to] = [transactions[0], transactions.at(-1)];
    if (!from || !to || from.seq !== sealed + 1 || to.seq !== sealed + SEGMENT) {
      throw new Error(`Transactions from ${sealed + 1} on are missing, so they cannot be put into the archive`);
    }
    const [number, first, last] = [before + 1, from.seq, to.seq];
    const header = headerLine({ ledger: this.#parts.self(), segment: number, first, last, previous, head: start });
    const { lines, head } = await linesOf(transactions, start, sha256);
    const text = `${[header, ...lines].join("\n")}\n`;
    return { segment: { number, first, last, at: to.at, head, hash: await sha256(text) }, text };
  }

  /** Stores a segment. False if the bucket does not take it. */
  async #put({ number }: Segment, text: string): Promise<boolean> {
    try {
      const options = { httpMetadata: { contentType: "application/x-ndjson" } };
      await within(BUCKET_MS, this.#parts.bucket().put(this.#key(number), text, options));
      return true;
    } catch (error) {
      console.error(`Segment ${number} of a ledger cannot be stored and stays in its object: ${error}`);
      return false;
    }
  }

  /** A transaction, wherever it is. @throws Error if its segment is missing or was changed. */
  async transaction(seq: number): Promise<Transaction | undefined> {
    const { sql } = this.#parts.storage;
    const row = readTransaction(sql, seq);
    if (row || seq > this.sealed) return row;
    const segment = segmentWith(sql, seq);
    return segment && seq >= segment.first ? (await this.read(segment))[seq - segment.first] : undefined;
  }

  /** Whether a segment is in memory, so that reading it costs nothing. */
  has({ number }: Segment): boolean {
    return this.#cached.has(number);
  }

  /** The transactions of a segment, oldest first. @throws Error as `text` does. */
  async read(segment: Segment): Promise<readonly Transaction[]> {
    const cached = this.#cached.get(segment.number);
    if (cached) return cached;
    const [, ...lines] = (await this.text(segment)).trimEnd().split("\n");
    const transactions = lines.map((line) => entryIn(line).transaction);
    this.#cached.set(segment.number, transactions);
    dropOldest(this.#cached, MAX_CACHED);
    return transactions;
  }

  /** A segment as it is stored. @throws Error if it is missing or was changed, or the ledger was deleted meanwhile. */
  async text(segment: Segment): Promise<string> {
    const key = this.#key(segment.number);
    const { generation } = this;
    const stored = await readFile(this.#parts.bucket, key, "the archive", (file) => file.text());
    const hash = stored === undefined ? undefined : await sha256(stored);
    // The ledger that has its place now may have another segment of this number.
    if (this.generation !== generation) throw notRead("the archive", "the ledger was deleted meanwhile");
    if (stored === undefined)
      throw damaged(`Segment ${segment.number} of the ledger's archive is missing in its bucket (${key})`);
    if (hash !== segment.hash) {
      throw damaged(`Segment ${segment.number} of the ledger's archive was changed in its bucket (${key})`);
    }
    return stored;
  }

  /** Forgets everything, after the rows were deleted. */
  forget(): void {
    this.#generation++;
    this.#newest = undefined;
    this.#base = undefined;
    this.#cached.clear();
  }

  /** Deletes all segments. @throws Error as `deleteFiles` does. */
  clear(): Promise<void> {
    return deleteFiles({ bucket: this.#parts.bucket, prefix: this.#prefix, what: "the archive" });
  }

  get #prefix(): string {
    return filesOf(this.#parts.name, "ledger");
  }

  #key(number: number): string {
    return `${this.#prefix}${String(number).padStart(9, "0")}.ndjson`;
  }
}
