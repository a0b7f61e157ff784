/** What a ledger's alarm does: all that is due, whoever it is due to. */
import { sweepReplays } from "../objects/replays.ts";
import type { Wake } from "../objects/wake.ts";
import { hasPeers } from "./accounts.ts";
import { type Archive, SEGMENT } from "./archive.ts";
import type { Books } from "./books.ts";
import { settle } from "./decide.ts";
import { firstHolds } from "./marks.ts";
import type { Outbox } from "./outbox.ts";
import type { Payments } from "./payments.ts";

/** An alarm that failed comes again so much later. */
const RETRY_MS = 30_000;
/** The most holds that one write lets expire. */
const MAX_EXPIRED = 500;
/** The most segments that one alarm seals. The next one follows at once. */
const MAX_SEALED = 20;

interface Parts {
  readonly sql: SqlStorage;
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
    const { wake } = this.#parts;
    try {
      await this.#expire();
      wake.by(sweepReplays(this.#parts.sql, Date.now()));
      await this.#seal();
      await this.#deliver();
    } catch (error) {
      // The runtime gives up an alarm that fails again and again; this one comes back until it succeeds.
      console.error(`The alarm of a ledger failed and comes again in ${RETRY_MS / 1_000} s: ${error}`);
      await wake.look();
      wake.by(Date.now() + RETRY_MS);
    }
  }

  /** Gives back what was held and not posted in time. */
  async #expire(): Promise<void> {
    const { sql, payments, wake } = this.#parts;
    for (let expired = MAX_EXPIRED; expired === MAX_EXPIRED; ) {
      ({ expired } = await payments.change((draft) => {
        const due = firstHolds(sql, MAX_EXPIRED).filter((held) => held.due <= draft.now);
        for (const { seq } of due) settle(draft, seq, "expire");
        return { expired: due.length };
      }));
    }
    wake.by(firstHolds(sql, 1)[0]?.due);
  }

  /** Moves old transactions to the archive. */
  async #seal(): Promise<void> {
    const { archive, books, outbox, wake } = this.#parts;
    // What has no answer yet stays a row, because its row is still written.
    const end = () => outbox.oldest ?? books.newest.seq;
    for (let times = 0; times < MAX_SEALED; times++) {
      if (!(await archive.seal(books.newest.seq, end(), Date.now()))) break;
    }
    if (end() > archive.sealed + SEGMENT) wake.by(archive.due(books.newest.seq, Date.now()));
  }

  /** Tells other ledgers what is on its way to them. */
  async #deliver(): Promise<void> {
    const { sql, outbox, wake } = this.#parts;
    if (!hasPeers(sql)) return;
    await outbox.flush();
    if (outbox.size > 0) wake.by(outbox.due(Date.now()));
  }
}
