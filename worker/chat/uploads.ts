/**
 * A room's attachments: which files in R2 belong to it, who uploaded each, and when it is deleted.
 *
 * A file gets its row before its first byte is stored, and loses it after its last byte is deleted. So no crash leaves
 * a file in R2 that the room does not know. A file that no message refers to is deleted after an hour.
 */
import type { Attachment } from "./protocol.ts";

const UNSENT_MS = 60 * 60 * 1_000;
/** How long an upload may take. Ten mebibytes take a minute and a half at a megabit a second. */
const ARRIVING_MS = 10 * 60 * 1_000;
/** How many unsent files one user may have. */
const MAX_UNSENT = 20;
/** How many files one call deletes from R2. */
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

  /** Reserves a place for a file, unless the user has too many unsent files or the room would pass `most` bytes. */
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

  /** Notes that all bytes of a file are in R2, also twice. False if the upload took too long: then the file is deleted. */
  stored(key: string): boolean {
    return (
      this.#sql
        .exec("UPDATE uploads SET state = 'stored' WHERE key = ? AND state IN ('reserved', 'stored') RETURNING 1", key)
        .toArray().length > 0
    );
  }

  /** A file that a user has uploaded and not sent yet. */
  unsent(key: string, userId: string): Attachment | undefined {
    const [row] = this.#sql
      .exec<Row>("SELECT * FROM uploads WHERE key = ? AND user_id = ? AND state = 'stored'", key, userId)
      .toArray();
    return row && { key, type: row.type, size: row.size, ...(row.name !== null && { name: row.name }) };
  }

  /** Notes that a message refers to the file. */
  sent(key: string): void {
    this.#sql.exec("UPDATE uploads SET state = 'sent' WHERE key = ?", key);
  }

  /** Notes that the message that referred to the file is gone. */
  leave(key: string): void {
    this.#sql.exec("UPDATE uploads SET state = 'leaving' WHERE key = ?", key);
  }

  /** Marks all files for deletion. */
  leaveAll(): void {
    this.#sql.exec("UPDATE uploads SET state = 'leaving' WHERE state <> 'leaving'");
  }

  /** Whether the room has no files, not even one that is being uploaded or deleted. */
  get isEmpty(): boolean {
    return this.#sql.exec("SELECT 1 FROM uploads LIMIT 1").toArray().length === 0;
  }

  /** Until when somebody may send a file that is not sent (ms since the epoch); 0 if there is none. */
  get unsentUntil(): number {
    const { until } = this.#sql
      .exec<{ until: number | null }>(
        `SELECT max(at + ${UNSENT_MS}) AS until FROM uploads WHERE state IN ('reserved', 'stored')`,
      )
      .one();
    return until ?? 0;
  }

  /** A file that can be read: by its uploader, and by others once it was sent. */
  find(key: string): { upload: Upload; sent: boolean } | undefined {
    const [row] = this.#sql
      .exec<Row>("SELECT * FROM uploads WHERE key = ? AND state IN ('stored', 'sent')", key)
      .toArray();
    if (!row) return undefined;
    const { blob, user_id: userId, type, size, name, state } = row;
    return { upload: { key, blob, userId, type, size, ...(name !== null && { name }) }, sent: state === "sent" };
  }

  /** Files to delete from R2 now. From here on nobody can send or read them. */
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

  /** Forgets files that R2 has deleted. */
  forget(keys: string[]): void {
    for (const key of keys) this.#sql.exec("DELETE FROM uploads WHERE key = ?", key);
  }

  /** When there is something to delete next (ms since the epoch); undefined if never. */
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
