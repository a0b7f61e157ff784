/**
 * A room's last messages, as rows. A new message overwrites the row of the oldest one, so each message costs one row
 * written, however long the room lives. Deleting the oldest would cost a second.
 */
import type { Attachment, Message } from "./protocol.ts";
import { IS_DELETED } from "./schema.ts";

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

const COLUMNS = ["seq", "id", "user_id", "text", "at", "client_id", "attachment"] satisfies (keyof Row)[];
const UPDATE = `UPDATE messages SET ${COLUMNS.map((column) => `${column} = ?`)} WHERE seq = ?`;
const INSERT = `INSERT INTO messages (${COLUMNS}) VALUES (${COLUMNS.map(() => "?")})`;

/** Which messages to read: those between `after` and `before`, the newest `limit` of them, or after `after` the oldest. */
export interface Range {
  before?: number | undefined;
  after?: number | undefined;
  limit: number;
}

/** A page of the history. */
export interface Page {
  messages: Message[];
  /** The oldest number that is kept, and the newest. */
  first: number;
  last: number;
}

export class History {
  readonly #sql: SqlStorage;
  readonly #limit: number;
  readonly #retentionMs: number | undefined;
  #first: number;
  #last: number;

  /** `limit`: how many messages are kept; `retentionMs`: how long. The tables must exist. */
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

  /** The oldest number that is kept; if none is, the next number. */
  get first(): number {
    return this.#first;
  }

  /**
   * Stores messages under the next numbers, those that the history keeps. Returns the attachments of messages that go.
   * Call it in a transaction.
   */
  append(messages: readonly Message[]): Attachment[] {
    const dropped = (messages.at(-1)?.seq ?? 0) - this.#limit;
    const over = this.#sql
      .exec<Pick<Row, "seq" | "attachment">>("SELECT seq, attachment FROM messages WHERE seq <= ?", dropped)
      .toArray();
    const [unkept, kept] = [messages.slice(0, -this.#limit), messages.slice(-this.#limit)];
    for (const [i, message] of kept.entries()) this.#write(message, over[i]);
    // More have to go than come only after the limit was lowered.
    if (over.length > kept.length) this.#sql.exec("DELETE FROM messages WHERE seq <= ?", dropped);
    return [...over.flatMap((row) => attachmentOf(row) ?? []), ...unkept.flatMap(({ attachment }) => attachment ?? [])];
  }

  #write(message: Message, over: Pick<Row, "seq"> | undefined): void {
    const row = rowOf(message);
    const values = COLUMNS.map((column) => row[column]);
    if (over) this.#sql.exec(UPDATE, ...values, over.seq);
    else this.#sql.exec(INSERT, ...values);
  }

  /** Counts messages. Call it after their transaction. */
  appended(messages: readonly Message[]): void {
    this.#last = messages.at(-1)?.seq ?? this.#last;
    this.#first = Math.max(this.#first, this.#last - this.#limit + 1);
  }

  /**
   * Hides messages that are too old, though they may still be stored. Order is by number: every message before one that
   * is too old is too old as well, whatever its timestamp says.
   */
  hideAged(now: number): void {
    if (this.#retentionMs === undefined) return;
    const due = this.agedAt();
    if (due === undefined || due > now) return;
    const aged = "SELECT max(seq) AS seq FROM messages WHERE at <= ?";
    const { seq } = this.#sql.exec<{ seq: number | null }>(aged, now - this.#retentionMs).one();
    this.#first = Math.max(this.#first, (seq ?? 0) + 1);
  }

  /** When the oldest stored message becomes too old (ms since the epoch); undefined if none ever does. */
  agedAt(): number | undefined {
    if (this.#retentionMs === undefined) return undefined;
    const [row] = this.#sql.exec<Pick<Row, "at">>("SELECT at FROM messages ORDER BY seq LIMIT 1").toArray();
    return row && row.at + this.#retentionMs;
  }

  /** Deletes hidden messages. Returns their attachments. Call it in a transaction. */
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
   * Deletes the text and the attachment of a message, as `blanked` does in a relay's copy; its number stays, so that there
   * is no gap. Returns the attachment; undefined if there is no such message. Call it in a transaction.
   */
  blank(seq: number): { readonly leaving: Attachment | undefined } | undefined {
    const [row] = this.#sql
      .exec<Pick<Row, "attachment">>("SELECT attachment FROM messages WHERE seq = ? AND seq >= ?", seq, this.first)
      .toArray();
    if (!row) return undefined;
    this.#sql.exec("UPDATE messages SET text = '', attachment = NULL WHERE seq = ?", seq);
    return { leaving: attachmentOf(row) };
  }

  /** The numbers up to `last` of kept messages that were deleted. Reads a row for each, or one if there are none. */
  deleted(last: number): number[] {
    return this.#sql
      .exec<Pick<Row, "seq">>(
        `SELECT seq FROM messages WHERE ${IS_DELETED} AND seq >= ? AND seq <= ? ORDER BY seq`,
        this.first,
        last,
      )
      .toArray()
      .map(({ seq }) => seq);
  }

  /** When the newest message came (ms since the epoch); undefined if none is stored. */
  get newestAt(): number | undefined {
    const [row] = this.#sql.exec<Pick<Row, "at">>("SELECT at FROM messages ORDER BY seq DESC LIMIT 1").toArray();
    return row?.at;
  }

  /** The messages of a range, in order. */
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

  /** All messages that have a row, in order: those, too, that are hidden since the limit was lowered, or by age. */
  stored(): Message[] {
    return this.#sql.exec<Row>("SELECT * FROM messages ORDER BY seq").toArray().map(messageOf);
  }

  /** Whether a kept message is by this user. */
  hasWriter(userId: string): boolean {
    return (
      this.#sql.exec("SELECT 1 FROM messages WHERE user_id = ? AND seq >= ? LIMIT 1", userId, this.first).toArray()
        .length > 0
    );
  }
}

function rowOf({ seq, id, userId, text, timestamp, clientId, attachment }: Message): Row {
  return {
    seq,
    id,
    user_id: userId,
    text,
    at: timestamp,
    client_id: clientId ?? null,
    attachment: attachment ? JSON.stringify(attachment) : null,
  };
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
    // As IS_DELETED has it.
    ...(row.text === "" && !attachment && { deleted: true }),
  };
}

function attachmentOf({ attachment }: Pick<Row, "attachment">): Attachment | undefined {
  return attachment === null ? undefined : JSON.parse(attachment);
}
