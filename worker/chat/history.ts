/**
 * A room's last messages, as rows. A message is written over the one that leaves, so that it costs one row for ever,
 * however long the room lives: a deletion would be a second.
 */
import type { Attachment, Message } from "./protocol.ts";

interface Row {
  [column: string]: SqlStorageValue;
  seq: number;
  id: string;
  user_id: string;
  text: string;
  at: number;
  client_id: string | null;
  attachment: string | null;
}

/** Which messages to read: those between `after` and `before`, the newest `limit` of them, or after `after` the oldest. */
export interface Range {
  before?: number | undefined;
  after?: number | undefined;
  limit: number;
}

export class History {
  readonly #sql: SqlStorage;
  readonly #limit: number;
  readonly #retentionMs: number | undefined;
  #first: number;
  #last: number;

  /** `limit`: how many messages are kept; `retentionMs`: how long. Made once the tables exist. */
  constructor(sql: SqlStorage, { limit, retentionMs }: { limit: number; retentionMs: number | undefined }) {
    this.#sql = sql;
    this.#limit = limit;
    this.#retentionMs = retentionMs;
    const kept = sql.exec<Record<"first" | "last", number | null>>(
      "SELECT min(seq) AS first, max(seq) AS last FROM messages",
    );
    const { first, last } = kept.one();
    const aged = sql.exec<{ seq: number }>("SELECT seq FROM aged").toArray()[0]?.seq ?? 0;
    this.#last = last ?? aged;
    this.#first = Math.max(first ?? aged + 1, this.#last - limit + 1);
  }

  /** The newest number; 0 before the first message. */
  get last(): number {
    return this.#last;
  }

  /** The oldest number that is kept; the next one where none is. */
  get first(): number {
    return this.#first;
  }

  /** Stores a message under the next number. Returns the attachments that leave. Call it inside a transaction. */
  append(message: Message): Attachment[] {
    const { seq, id, userId, text, timestamp, clientId, attachment } = message;
    const leaving = this.#sql
      .exec<Pick<Row, "seq" | "attachment">>("SELECT seq, attachment FROM messages WHERE seq <= ?", seq - this.#limit)
      .toArray();
    const values = [seq, id, userId, text, timestamp, clientId ?? null, attachment ? JSON.stringify(attachment) : null];
    const [over, ...surplus] = leaving;
    if (over) {
      this.#sql.exec(
        "UPDATE messages SET seq = ?, id = ?, user_id = ?, text = ?, at = ?, client_id = ?, attachment = ? WHERE seq = ?",
        ...values,
        over.seq,
      );
    } else {
      this.#sql.exec(
        "INSERT INTO messages (seq, id, user_id, text, at, client_id, attachment) VALUES (?, ?, ?, ?, ?, ?, ?)",
        ...values,
      );
    }
    // Only after the limit was lowered is there more than one to go.
    if (surplus.length > 0) this.#sql.exec("DELETE FROM messages WHERE seq <= ?", seq - this.#limit);
    return leaving.flatMap((row) => attachmentOf(row) ?? []);
  }

  /** Counts a message that is stored for good. */
  appended({ seq }: Message): void {
    this.#last = seq;
    this.#first = Math.max(this.#first, seq - this.#limit + 1);
  }

  /**
   * Counts what is too old as gone, though it may still be stored. Order is by number: what is before a message that
   * is too old is too old itself, whatever its clock said.
   */
  hideAged(now: number): void {
    if (this.#retentionMs === undefined) return;
    const due = this.agedAt();
    if (due === undefined || due > now) return;
    const aged = "SELECT max(seq) AS seq FROM messages WHERE at <= ?";
    const { seq } = this.#sql.exec<{ seq: number | null }>(aged, now - this.#retentionMs).one();
    this.#first = Math.max(this.#first, (seq ?? 0) + 1);
  }

  /** When the oldest message that is stored becomes too old (ms since the epoch); undefined where none ever does. */
  agedAt(): number | undefined {
    if (this.#retentionMs === undefined) return undefined;
    const [row] = this.#sql.exec<Pick<Row, "at">>("SELECT at FROM messages ORDER BY seq LIMIT 1").toArray();
    return row && row.at + this.#retentionMs;
  }

  /** Deletes what does not count any more. Returns the attachments that leave. Call it inside a transaction. */
  deleteHidden(): Attachment[] {
    const leaving = this.#sql
      .exec<Pick<Row, "attachment">>("SELECT attachment FROM messages WHERE seq < ?", this.#first)
      .toArray();
    if (leaving.length === 0) return [];
    this.#sql.exec("DELETE FROM messages WHERE seq < ?", this.#first);
    this.#sql.exec("INSERT OR REPLACE INTO aged (id, seq) VALUES (1, ?)", this.#first - 1);
    return leaving.flatMap((row) => attachmentOf(row) ?? []);
  }

  /**
   * Takes what a message said away; its number stays, so that there is no hole. Returns the attachment that leaves;
   * undefined where there is no such message. Call it inside a transaction.
   */
  blank(seq: number): { readonly leaving: Attachment | undefined } | undefined {
    const [row] = this.#sql
      .exec<Pick<Row, "attachment">>("SELECT attachment FROM messages WHERE seq = ? AND seq >= ?", seq, this.first)
      .toArray();
    if (!row) return undefined;
    this.#sql.exec("UPDATE messages SET text = '', attachment = NULL WHERE seq = ?", seq);
    return { leaving: attachmentOf(row) };
  }

  /** When the newest message came (ms since the epoch); undefined where none is stored. */
  get newestAt(): number | undefined {
    const [row] = this.#sql.exec<Pick<Row, "at">>("SELECT at FROM messages ORDER BY seq DESC LIMIT 1").toArray();
    return row?.at;
  }

  /** Messages in order. */
  read({ before = this.#last + 1, after, limit }: Range): Message[] {
    const rows = this.#sql
      .exec<Row>(
        `SELECT * FROM messages WHERE seq >= ? AND seq > ? AND seq < ? ORDER BY seq ${after === undefined ? "DESC" : "ASC"} LIMIT ?`,
        this.first,
        after ?? 0,
        before,
        limit,
      )
      .toArray();
    return (after === undefined ? rows.reverse() : rows).map(messageOf);
  }

  /** Whether a kept message is by this user. */
  hasWriter(userId: string): boolean {
    return (
      this.#sql.exec("SELECT 1 FROM messages WHERE user_id = ? AND seq >= ? LIMIT 1", userId, this.first).toArray()
        .length > 0
    );
  }
}

function messageOf(row: Row): Message {
  const attachment = attachmentOf(row);
  return {
    id: row.id,
    seq: row.seq,
    userId: row.user_id,
    text: row.text,
    timestamp: row.at,
    ...(row.client_id !== null && { clientId: row.client_id }),
    ...(attachment && { attachment }),
    // Nobody can say nothing.
    ...(row.text === "" && !attachment && { deleted: true }),
  };
}

function attachmentOf({ attachment }: Pick<Row, "attachment">): Attachment | undefined {
  return attachment === null ? undefined : JSON.parse(attachment);
}
