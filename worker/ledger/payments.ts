/**
 * Payments, in groups: those that come while others are on their way to the disk share the next write. Inside a group
 * each is decided by what the one before it left, in the order in which they came; all of them are one transaction,
 * with no await in it for another call to slip into.
 */
import { GroupCommit } from "../objects/group-commit.ts";
import { notWritten } from "../objects/retry.ts";
import type { Schema } from "../objects/schema.ts";
import type { Books } from "./books.ts";
import { Draft, type Paid, type PaymentOnce } from "./draft.ts";

/** A payment that waits for its group. */
interface Asked extends PaymentOnce {
  /** What became of it; throws where it could not be written. */
  answer: () => Paid;
}

export class Payments {
  readonly #storage: DurableObjectStorage;
  readonly #schema: Schema;
  readonly #books: Books;
  readonly #commits = new GroupCommit(() => this.#write());
  #asked: Asked[] = [];

  constructor(storage: DurableObjectStorage, schema: Schema, books: Books) {
    this.#storage = storage;
    this.#schema = schema;
    this.#books = books;
  }

  /** Pays, or says why not. The answer is durable. */
  async pay(payment: PaymentOnce): Promise<Paid> {
    const asked = { ...payment, answer: notYet };
    this.#asked.push(asked);
    await this.#commits.commit();
    return asked.answer();
  }

  async #write(): Promise<void> {
    const group = this.#asked;
    this.#asked = [];
    try {
      this.#settle(group);
    } catch {
      // One of them cannot be written: that must not keep the others from it.
      for (const asked of group) this.#settleAlone(asked);
    }
    try {
      await this.#storage.sync();
    } catch (error) {
      throw notWritten("the payments", error);
    }
  }

  #settleAlone(asked: Asked): void {
    try {
      this.#settle([asked]);
    } catch (error) {
      asked.answer = () => {
        throw notWritten("the payment", error);
      };
    }
  }

  /** Decides and writes all of a group, or throws and has written none of it. */
  #settle(group: readonly Asked[]): void {
    const draft = new Draft(this.#storage.sql, this.#books, { empty: this.#schema.empty, now: Date.now() });
    for (const asked of group) {
      const paid = draft.pay(asked);
      asked.answer = () => paid;
    }
    if (!draft.isChanged) return;
    this.#schema.create();
    this.#storage.transactionSync(() => draft.write());
    draft.written();
  }
}

function notYet(): never {
  throw new Error("A payment was answered before it was written");
}
