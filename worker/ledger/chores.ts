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

/** An alarm that failed comes again so much later. */
const RETRY_MS = 30_000;
/** The most holds that one write lets expire. */
const MAX_EXPIRED = 500;
/** A hold whose payer cannot take the money back is tried again so much later. */
const FULL_MS = 3_600_000;
/** The most segments that one alarm seals. The next one follows at once. */
const MAX_SEALED = 20;

interface Parts {
  readonly sql: SqlStorage;
  /** Whether there are all tables. */
  readonly isThere: () => boolean;
  readonly books: Books;
  readonly wake: Wake;
  readonly outbox: Outbox;
  readonly archive: Archive;
  readonly payments: Payments;
}

export class Chores {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Does what is due, and sets the alarm for what is not. Call it only if all tables are there. */
  async run(): Promise<void> {
    const { sql, wake } = this.#parts;
    // Each for itself: what fails must not stop the others.
    await this.#try("expiry of holds", () => this.#expire());
    await this.#try("sweep of idempotency keys", async () => wake.by(sweepReplays(sql, Date.now())));
    await this.#try("archive", () => this.#seal());
    await this.#try("delivery to other ledgers", () => this.#deliver());
  }

  async #try(what: string, chore: () => Promise<void>): Promise<void> {
    const { isThere } = this.#parts;
    try {
      if (isThere()) await chore();
    } catch (error) {
      // It was deleted meanwhile.
      if (!isThere()) return;
      // The runtime gives up an alarm that fails again and again; this one comes back until it succeeds.
      console.error(`A ledger's ${what} failed and is tried again in ${RETRY_MS / 1_000} s: ${error}`);
      await this.#parts.wake.arm(Date.now() + RETRY_MS);
    }
  }

  /** Gives back what was held and not posted in time. */
  async #expire(): Promise<void> {
    const { sql, payments, wake } = this.#parts;
    for (let expired = MAX_EXPIRED; expired === MAX_EXPIRED; ) {
      ({ expired } = await payments.change((draft) => {
        const due = firstHolds(sql, MAX_EXPIRED).filter((held) => held.due <= draft.now);
        // One whose payer is full stays held, and is tried again later.
        for (const held of due) if (!settle(draft, held, "expire").ok) draft.postpone(held, draft.now + FULL_MS);
        return { expired: due.length };
      }));
    }
    wake.by(firstHolds(sql, 1)[0]?.due);
  }

  /** Moves old transactions to the archive. */
  async #seal(): Promise<void> {
    const { archive, books, outbox, wake } = this.#parts;
    // What has no answer yet stays a row, because its row is still written.
    for (let times = 0; times < MAX_SEALED; times++) {
      if (!(await archive.seal(books.newest.seq, outbox.oldest, Date.now()))) break;
    }
    wake.by(archive.due(books.newest.seq, outbox.oldest, Date.now()));
  }

  /** Tells other ledgers what is on its way to them. */
  async #deliver(): Promise<void> {
    const { sql, outbox, wake } = this.#parts;
    if (!hasPeers(sql)) return;
    await outbox.flush();
    wake.by(outbox.next(Date.now()));
  }
}
