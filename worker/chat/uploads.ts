/**
 * A room's attachments: which file in R2 belongs to it, from whom, and when it goes.
 *
 * A file is written down before its first byte is stored, and forgotten after its last one is deleted. So whatever
 * crashes when, no file is left that nobody knows. Files that no message came to refer to go after an hour.
 */
import type { Attachment } from "./protocol.ts";

const UNSENT_MS = 60 * 60 * 1_000;
/** Ten mebibytes take a minute and a half at a megabit a second. */
const ARRIVING_MS = 10 * 60 * 1_000;
/** Files that one user may have waiting to be sent. */
const MAX_UNSENT = 20;
/** What one call deletes from R2. */
const DELETED_AT_ONCE = 1_000;

/** A file about to be uploaded. */
export interface Upload extends Attachment {
  userId: string;
  /** Its key in R2. */
  blob: string;
}

interface Row {
  [column: string]: SqlStorageValue;
  key: string;
  blob: string;
  user_id: string;
  type: string;
  size: number;
  name: string | null;
  state: string;
}

export class Uploads {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Writes down a file that is to come, unless the user has too many waiting or the room more than `most` bytes. */
  reserve(
    { key, blob, userId, type, size, name }: Upload,
    now: number,
    most: number,
  ): "reserved" | "too-many" | "room-full" {
    const { waiting } = this.#sql
      .exec<{ waiting: number }>(
        "SELECT count(*) AS waiting FROM uploads WHERE user_id = ? AND state IN ('reserved', 'stored')",
        userId,
      )
      .one();
    if (waiting >= MAX_UNSENT) return "too-many";
    const { bytes } = this.#sql.exec<{ bytes: number }>("SELECT coalesce(sum(size), 0) AS bytes FROM uploads").one();
    if (bytes + size > most) return "room-full";
    const values = [key, blob, userId, type, size, name ?? null, now];
    this.#sql.exec(
      "INSERT INTO uploads (key, blob, user_id, type, size, name, state, at) VALUES (?, ?, ?, ?, ?, ?, 'reserved', ?)",
      ...values,
    );
    return "reserved";
  }

  /** All bytes are there. False where it took so long that the file is not wanted any more. */
  stored(key: string): boolean {
    return (
      this.#sql
        .exec("UPDATE uploads SET state = 'stored' WHERE key = ? AND state = 'reserved' RETURNING 1", key)
        .toArray().length > 0
    );
  }

  /** The file that a user has uploaded and not sent yet. */
  unsent(key: string, userId: string): Attachment | undefined {
    const [row] = this.#sql
      .exec<Row>("SELECT * FROM uploads WHERE key = ? AND user_id = ? AND state = 'stored'", key, userId)
      .toArray();
    return row && { key, type: row.type, size: row.size, ...(row.name !== null && { name: row.name }) };
  }

  /** A message refers to the file now. */
  sent(key: string): void {
    this.#sql.exec("UPDATE uploads SET state = 'sent' WHERE key = ?", key);
  }

  /** The message that referred to the file is gone. */
  leave(key: string): void {
    this.#sql.exec("UPDATE uploads SET state = 'leaving' WHERE key = ?", key);
  }

  /** All files are to go. */
  leaveAll(): void {
    this.#sql.exec("UPDATE uploads SET state = 'leaving'");
  }

  /** Whether no file is there, nor on its way in or out. */
  get isEmpty(): boolean {
    return this.#sql.exec("SELECT 1 FROM uploads LIMIT 1").toArray().length === 0;
  }

  /** The file, for who may read it: its uploader, and others once it was sent. */
  find(key: string): { upload: Upload; sent: boolean } | undefined {
    const [row] = this.#sql
      .exec<Row>("SELECT * FROM uploads WHERE key = ? AND state IN ('stored', 'sent')", key)
      .toArray();
    if (!row) return undefined;
    const { blob, user_id: userId, type, size, name, state } = row;
    return { upload: { key, blob, userId, type, size, ...(name !== null && { name }) }, sent: state === "sent" };
  }

  /** Files to delete from R2 now. Nobody can send or read them any more. */
  leaving(now: number): { key: string; blob: string }[] {
    this.#sql.exec(
      `UPDATE uploads SET state = 'leaving' WHERE at <= CASE state WHEN 'stored' THEN ? WHEN 'reserved' THEN ? END`,
      now - UNSENT_MS,
      now - ARRIVING_MS,
    );
    return this.#sql
      .exec<Pick<Row, "key" | "blob">>("SELECT key, blob FROM uploads WHERE state = 'leaving' LIMIT ?", DELETED_AT_ONCE)
      .toArray();
  }

  /** R2 has deleted these. */
  forget(keys: string[]): void {
    for (const key of keys) this.#sql.exec("DELETE FROM uploads WHERE key = ?", key);
  }

  /** When there is something to delete next (milliseconds of Unix time); undefined where never. */
  nextDue(now: number): number | undefined {
    const { due } = this.#sql
      .exec<{ due: number | null }>(
        `SELECT min(CASE state WHEN 'leaving' THEN ? WHEN 'reserved' THEN at + ${ARRIVING_MS} ELSE at + ${UNSENT_MS} END) AS due FROM uploads WHERE state <> 'sent'`,
        now,
      )
      .one();
    return due ?? undefined;
  }
}
