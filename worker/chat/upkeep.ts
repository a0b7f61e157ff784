/**
 * When what a room has stored goes again: messages that are too old, files that nobody needs, and a room that only
 * unknown callers have used.
 */
import { AGAIN_MS, type Wake } from "../objects/wake.ts";
import type { Book } from "./book.ts";
import { deleteAged } from "./sent.ts";

/** R2 deletes many files in one call, so a deletion waits this long for further files. */
const DELETE_AFTER_MS = 5_000;
/** Messages that are too old are hidden at once, and deleted together, this often at most. */
export const SWEEP_INTERVAL_MS = 60 * 60 * 1_000;

/** The key that is there once a known user has sent a message. */
const KEPT = "kept";
/** The key of the time at which the last message of a room that is not kept went by age (ms since the epoch). */
const SILENT_SINCE = "silent-since";

interface Options {
  readonly storage: DurableObjectStorage;
  readonly wake: Wake;
  readonly book: Book;
  /** How long a room that is not kept lives without use. */
  readonly unusedMs: number;
  /** The bucket of the room's region. */
  readonly bucket: () => R2Bucket;
}

export class Upkeep {
  readonly #options: Options;
  /** Whether a known user has sent a message, or set the door. */
  #isKept: boolean;
  /** Whether the alarm is known to be set for what will be too old. */
  #sweepArmed = false;
  /** Whether the alarm is known to be set for the end of a room that is not kept. */
  #endArmed = false;

  constructor(options: Options, hasDoor: boolean) {
    this.#options = options;
    this.#isKept = hasDoor || options.storage.kv.get(KEPT) === true;
  }

  /** Whether the room is kept without use. */
  get isKept(): boolean {
    return this.#isKept;
  }

  /** A known user has sent a message. */
  keep(): void {
    if (this.#isKept) return;
    this.#options.storage.kv.put(KEPT, true);
    this.#isKept = true;
  }

  /** The door was stored, which says the same. */
  doorIsSet(): void {
    this.#isKept = true;
  }

  /** Deletes what it has stored. Call it in a transaction, and `forget` after it. */
  clear(): void {
    for (const key of [KEPT, SILENT_SINCE]) this.#options.storage.kv.delete(key);
  }

  /** The room begins anew. */
  forget(): void {
    this.#isKept = this.#sweepArmed = this.#endArmed = false;
  }

  /** Sets the alarm for the files. */
  async armForFiles(): Promise<void> {
    const now = Date.now();
    await this.#arm(this.#options.book.uploads.nextDue(now) ?? now);
  }

  /** Somebody has joined. */
  async joined(): Promise<void> {
    if (!this.#sweepArmed) await this.#armSweep(0);
  }

  /** Messages were stored. `trimmed`: files of others have to go. */
  async stored(trimmed: boolean): Promise<void> {
    if (trimmed) await this.#arm(Date.now() + DELETE_AFTER_MS);
    if (!this.#sweepArmed) await this.#armSweep(0);
    if (this.#endArmed) return;
    const goes = this.goesAt();
    // It may go at once, if all that came was refused.
    if (goes !== undefined) await this.#arm(Math.max(goes, Date.now()));
    this.#endArmed = true;
  }

  /**
   * Deletes old messages and ids, and files that nobody needs. `isFrequent`: the alarm comes for another reason, too
   * often to delete messages each time. False if R2 did not delete the files; then the alarm tries again.
   */
  async sweep(now: number, isFrequent: boolean): Promise<boolean> {
    const { book, bucket } = this.#options;
    if (now >= book.agedAt() + (isFrequent ? SWEEP_INTERVAL_MS : 0)) this.#deleteAged(now);
    const leaving = book.uploads.leaving(now);
    let deleted = true;
    try {
      if (leaving.length > 0) await bucket().delete(leaving.map(({ blob }) => blob));
      book.uploads.forget(leaving.map(({ key }) => key));
    } catch (error) {
      deleted = false;
      console.error(JSON.stringify({ chat: "attachments not deleted", error: String(error) }));
    }
    const due = book.uploads.nextDue(now);
    if (due !== undefined) await this.#arm(deleted ? Math.max(due, now) : now + AGAIN_MS);
    await this.#armSweep(now + SWEEP_INTERVAL_MS);
    return deleted;
  }

  /** When the room is deleted if nobody sends a message (ms since the epoch); undefined if it is kept. */
  goesAt(): number | undefined {
    const { book, storage, unusedMs } = this.#options;
    if (this.#isKept || book.schema.empty) return undefined;
    const since = book.history()?.newestAt ?? storage.kv.get<number>(SILENT_SINCE);
    return since === undefined ? book.uploads.unsentUntil : since + unusedMs;
  }

  #deleteAged(now: number): void {
    const { book, storage } = this.#options;
    const history = book.history();
    const agedAt = history?.agedAt();
    storage.transactionSync(() => {
      deleteAged(storage.sql, now);
      // What is hidden only since the limit was lowered stays: a client may send it again.
      if (!history || agedAt === undefined || agedAt > now) return;
      for (const { key } of history.deleteHidden()) book.uploads.leave(key);
      // The numbering goes on for a while, for clients that know the last number.
      if (!this.#isKept && history.newestAt === undefined) storage.kv.put(SILENT_SINCE, now);
    });
  }

  #arm(at: number): Promise<void> {
    return this.#options.wake.arm(at);
  }

  /** Sets the alarm to delete what is too old when it is, but not before `earliest`. */
  async #armSweep(earliest: number): Promise<void> {
    const due = this.#options.book.agedAt();
    this.#sweepArmed = due < Number.POSITIVE_INFINITY;
    if (this.#sweepArmed) await this.#arm(Math.max(due, earliest));
  }
}
