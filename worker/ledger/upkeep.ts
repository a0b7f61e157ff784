/** What a ledger's alarm does: all that is due, whoever it is due to. */
import { sweepReplays } from "../objects/replays.ts";
import type { Wake } from "../objects/wake.ts";
import { hasPeers } from "./accounts.ts";
import type { Archive } from "./archive.ts";
import type { Books } from "./books.ts";
import { settle } from "./decide.ts";
import { firstHolds } from "./marks.ts";
import type { Outbox } from "./outbox.ts";
import type { Payments } from "./payments.ts";

/** The most holds that one write lets expire. */
const MAX_EXPIRED = 500;
/** A hold whose payer cannot take the money back is tried again so much later. */
const FULL_MS = 3_600_000;
/** The most segments that one alarm seals. The next one follows at once. */
const MAX_SEALED = 20;

interface Parts {
  readonly sql: SqlStorage;
  /** Whether there are tables, and all of them. */
  readonly isWritable: () => boolean;
  readonly books: Books;
  readonly wake: Wake;
  readonly outbox: Outbox;
  readonly archive: Archive;
  readonly payments: Payments;
}

export class Upkeep {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Does what is due, and sets the alarm for what is not. Call it only if all tables are there. */
  async run(): Promise<void> {
    await this.#do("expiry of holds", () => this.#expire());
    await this.#do("sweep of idempotency keys", async () => sweepReplays(this.#parts.sql, Date.now()));
    await this.#do("archive", () => this.#seal());
    await this.#do("delivery to other ledgers", () => this.#deliver());
  }

  /** Does a chore of a ledger that may be deleted meanwhile: then it is not done, or its failure is none. */
  #do(what: string, chore: () => Promise<number | undefined>): Promise<void> {
    const { isWritable, wake } = this.#parts;
    return wake.chore(what, async () => {
      try {
        return isWritable() ? await chore() : undefined;
      } catch (error) {
        if (isWritable()) throw error;
        return undefined;
      }
    });
  }

  /** Gives back what was held and not posted in time. */
  async #expire(): Promise<number | undefined> {
    const { sql, payments } = this.#parts;
    for (let expired = MAX_EXPIRED; expired === MAX_EXPIRED; ) {
      ({ expired } = await payments.change((draft) => {
        const due = firstHolds(sql, MAX_EXPIRED).filter((held) => held.due <= draft.now);
        // One whose payer is full stays held, and is tried again later.
        for (const held of due) if (!settle(draft, held, "expire").ok) draft.postpone(held, draft.now + FULL_MS);
        return { expired: due.length };
      }));
    }
    return firstHolds(sql, 1)[0]?.due;
  }

  /** Moves old transactions to the archive. */
  async #seal(): Promise<number | undefined> {
    const { archive, books, outbox } = this.#parts;
    // What has no answer yet stays a row, because its row is still written.
    for (let times = 0; times < MAX_SEALED; times++) {
      if (!(await archive.seal(books.newest.seq, outbox.oldest, Date.now()))) break;
    }
    return archive.due(books.newest.seq, outbox.oldest, Date.now());
  }

  /** Tells other ledgers what is on its way to them. */
  async #deliver(): Promise<number | undefined> {
    const { sql, outbox } = this.#parts;
    if (!hasPeers(sql)) return undefined;
    await outbox.flush();
    return outbox.next(Date.now());
  }
}
