/**
 * Changes of a ledger, in groups: those that arrive during a write share the next one. Inside a group, changes are
 * decided in the order in which they came, each with the balances after the one before it. A group is one transaction
 * with no await, so that no other call can come in between.
 */
import { GroupCommit } from "../objects/group-commit.ts";
import { sweepDue } from "../objects/replays.ts";
import { notWritten } from "../objects/retry.ts";
import type { Schema } from "../objects/schema.ts";
import type { Wake } from "../objects/wake.ts";
import type { Books } from "./books.ts";
import { Draft } from "./draft.ts";
import type { Transaction } from "./rules.ts";

/** Decides a change on a draft. It may be called again with another draft, if the one before could not be written. */
type Decide = (draft: Draft) => void;
/** How the change of a group ended: the error if it could not be written. */
type Ended = { readonly error?: unknown };

interface Parts {
  readonly storage: DurableObjectStorage;
  readonly schema: Schema;
  readonly books: Books;
  readonly wake: Wake;
  readonly outbox: Outgoing;
  /**
   * Says when to move old transactions away: the newest has the number `last`, and from the number `open` on they must
   * stay.
   */
  readonly archive: { due(last: number, open: number, now: number): number | undefined };
}

/** Is told of the transfers to other ledgers. */
export interface Outgoing {
  /** When to look again whether the transfers of `now` have arrived (ms since the epoch). */
  due(now: number): number;
  /** The lowest number of a transfer that is on its way; infinite if there is none. */
  readonly oldest: number;
  /** They are written. Call it before the next await, so that nobody sees the rows and does not know of them. */
  booked(transfers: readonly Transaction[]): void;
  /** Whether something is booked and not known to be durable. */
  readonly hasBooked: boolean;
  /** All that was booked is durable. */
  durable(): void;
}

export class Payments {
  readonly #parts: Parts;
  readonly #commits = new GroupCommit<Decide, Ended>(
    (group) => this.#write(group),
    () => this.#parts.storage.sync(),
  );

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Makes a change, or says why not. @throws Error if it could not be written. */
  async change<T extends object>(decide: (draft: Draft) => T): Promise<T> {
    const box: { answer?: T } = {};
    const ended = await this.#commits.commit((draft) => {
      box.answer = decide(draft);
    });
    if ("error" in ended) throw ended.error;
    if (box.answer === undefined) throw new Error("A change was written and not decided");
    return box.answer;
  }

  async #write(group: readonly Decide[]): Promise<readonly Ended[]> {
    const { storage, wake, outbox } = this.#parts;
    await wake.look();
    const ended = this.#decideAll(group);
    if (outbox.hasBooked) {
      try {
        await storage.sync();
      } catch (error) {
        throw notWritten("the payments", error);
      }
      // Only now: another ledger must not have money that a crash can still give back.
      outbox.durable();
    }
    return ended;
  }

  #decideAll(group: readonly Decide[]): readonly Ended[] {
    try {
      this.#decide(group);
      return group.map(() => ({}));
    } catch (error) {
      // One change cannot be written. Try each alone, so that the others can be.
      if (group.length > 1) return group.flatMap((decide) => this.#decideAll([decide]));
      return [{ error: notWritten("the payment", error) }];
    }
  }

  /** Decides and writes all of a group. If it throws, nothing was written. */
  #decide(group: readonly Decide[]): void {
    const { storage, schema, books, wake, outbox, archive } = this.#parts;
    const now = Date.now();
    // Before the first change, too: an older ledger whose tables could not be brought up to date changes nothing.
    if (!schema.empty) schema.create();
    const draft = new Draft(storage.sql, books, { empty: schema.empty, now });
    for (const decide of group) decide(draft);
    if (!draft.isChanged) return;
    schema.create();
    storage.transactionSync(() => draft.write());
    draft.written();
    outbox.booked(draft.sends);
    if (draft.hasKeys) wake.by(sweepDue(now));
    for (const { due } of draft.newHolds) wake.by(due);
    if (draft.sends.length > 0) wake.by(outbox.due(now));
    wake.by(archive.due(draft.last, outbox.oldest, now));
  }
}
