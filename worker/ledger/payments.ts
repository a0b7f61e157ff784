/**
 * Payments, in groups: those that arrive during a write share the next one. Inside a group, payments are decided in the
 * order in which they came, each with the balances after the one before it. A group is one transaction with no await,
 * so that no other call can come in between.
 */
import { GroupCommit } from "../objects/group-commit.ts";
import { sweepDue } from "../objects/replays.ts";
import { notWritten } from "../objects/retry.ts";
import type { Schema } from "../objects/schema.ts";
import type { Wake } from "../objects/wake.ts";
import type { Books } from "./books.ts";
import { Draft, type Paid, type PaymentOnce } from "./draft.ts";

/** The outcome of a payment in a group, or the error if it could not be written. */
type Settled = { readonly paid: Paid } | { readonly error: unknown };

export class Payments {
  readonly #storage: DurableObjectStorage;
  readonly #schema: Schema;
  readonly #books: Books;
  readonly #wake: Wake;
  readonly #commits = new GroupCommit<PaymentOnce, Settled>((group) => this.#write(group));

  constructor(storage: DurableObjectStorage, schema: Schema, books: Books, wake: Wake) {
    this.#storage = storage;
    this.#schema = schema;
    this.#books = books;
    this.#wake = wake;
  }

  /** Makes a payment, or says why not. The answer is durable. */
  async pay(payment: PaymentOnce): Promise<Paid> {
    const settled = await this.#commits.commit(payment);
    if ("error" in settled) throw settled.error;
    return settled.paid;
  }

  async #write(group: readonly PaymentOnce[]): Promise<readonly Settled[]> {
    await this.#wake.look();
    const settled = this.#settleAll(group);
    try {
      await this.#storage.sync();
    } catch (error) {
      throw notWritten("the payments", error);
    }
    return settled;
  }

  #settleAll(group: readonly PaymentOnce[]): readonly Settled[] {
    try {
      return this.#settle(group);
    } catch (error) {
      // One payment cannot be written. Try each alone, so that the others can be.
      if (group.length > 1) return group.flatMap((payment) => this.#settleAll([payment]));
      return [{ error: notWritten("the payment", error) }];
    }
  }

  /** Decides and writes all of a group. If it throws, nothing was written. */
  #settle(group: readonly PaymentOnce[]): readonly Settled[] {
    const now = Date.now();
    const draft = new Draft(this.#storage.sql, this.#books, { empty: this.#schema.empty, now });
    const settled = group.map((payment) => ({ paid: draft.pay(payment) }));
    if (draft.isChanged) {
      this.#schema.create();
      this.#storage.transactionSync(() => draft.write());
      draft.written();
      if (draft.hasKeys) this.#wake.by(sweepDue(now));
    }
    return settled;
  }
}
