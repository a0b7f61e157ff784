/**
 * What a room has stored: its history, what was sent in the last day, and its files. History and what was sent are read
 * when they are first needed; they are not there before the first message or file.
 */
import { Schema } from "../objects/schema.ts";
import { History, type Page, type Range } from "./history.ts";
import { chat } from "./pattern.ts";
import { agedAt, Sent } from "./sent.ts";
import { Uploads } from "./uploads.ts";

export interface Limits {
  /** How many messages are kept. */
  readonly limit: number;
  /** How long; undefined: as long as they are among the newest. */
  readonly retentionMs: number | undefined;
}

export class Book {
  readonly schema: Schema;
  readonly uploads: Uploads;
  readonly #sql: SqlStorage;
  readonly #limits: Limits;
  #history: History | undefined;
  #sent: Sent | undefined;

  constructor(storage: DurableObjectStorage, limits: Limits) {
    this.schema = new Schema(storage, chat);
    this.uploads = new Uploads(storage.sql);
    this.#sql = storage.sql;
    this.#limits = limits;
  }

  /** The history, without what is too old by now. */
  history(): History | undefined {
    if (this.schema.empty) return undefined;
    this.#history ??= new History(this.#sql, this.#limits);
    this.#history.hideAged(Date.now());
    return this.#history;
  }

  /** The messages that were sent in the last day. */
  sent(): Sent | undefined {
    const history = this.history();
    if (!history) return undefined;
    this.#sent ??= new Sent(this.#sql, history.stored(), this.#limits.limit);
    return this.#sent;
  }

  /** When the oldest messages, or what was sent, will be too old (ms since the epoch); Infinity if nothing ever is. */
  agedAt(): number {
    const never = Number.POSITIVE_INFINITY;
    const history = this.history();
    return history ? Math.min(history.agedAt() ?? never, agedAt(this.#sql) ?? never) : never;
  }

  page(range: Range): Page {
    const history = this.history();
    return history
      ? { messages: history.read(range), first: history.first, last: history.last }
      : { messages: [], first: 1, last: 0 };
  }

  /** Deletes everything, and marks the files for deletion. Call it in a transaction, and `forget` after it. */
  clear(): void {
    if (this.schema.empty) return;
    for (const table of ["messages", "sent", "aged"]) this.#sql.exec(`DELETE FROM ${table}`);
    this.uploads.leaveAll();
  }

  /** Forgets what was read. */
  forget(): void {
    this.#history = this.#sent = undefined;
  }
}
