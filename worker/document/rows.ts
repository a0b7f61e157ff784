/**
 * The updates of a document as rows. All rows together are one stream: each update with its length in front. A small
 * update joins the last row, which costs as many written rows as a row of its own, and leaves fewer rows to read and to
 * delete. A large one is spread over several rows, because SQLite takes at most 2 MB a row.
 */
import { createDecoder, hasContent, readVarUint8Array } from "lib0/decoding";
import { createEncoder, toUint8Array, writeVarUint8Array } from "lib0/encoding";
import { joined } from "../objects/bytes.ts";

/** The last row grows up to so many bytes. SQLite writes pages of 4 KiB. */
const FULL_BYTES = 3_072;
const MAX_ROW_BYTES = 1_048_576;

interface Row {
  readonly id: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

export class Rows {
  readonly #sql: SqlStorage;
  /** The last row; undefined until somebody asks. */
  #last: Row | undefined;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** All updates, oldest first. @throws Error if the rows are no such stream. */
  read(): Uint8Array[] {
    const rows = this.#sql.exec<{ data: ArrayBuffer }>("SELECT data FROM updates ORDER BY id").toArray();
    const decoder = createDecoder(joined(rows.map(({ data }) => new Uint8Array(data))));
    const updates: Uint8Array[] = [];
    while (hasContent(decoder)) updates.push(readVarUint8Array(decoder));
    return updates;
  }

  /** Adds updates after the others. Call it in a transaction; if that fails, `forget`. */
  append(updates: readonly Uint8Array[]): void {
    const encoder = createEncoder();
    for (const update of updates) writeVarUint8Array(encoder, update);
    const data = toUint8Array(encoder);
    const last = this.#last ?? this.#readLast();
    if (last && last.data.byteLength + data.byteLength <= FULL_BYTES) {
      this.#write({ id: last.id, data: joined([last.data, data]) });
      return;
    }
    let id = last?.id ?? 0;
    for (let from = 0; from < data.byteLength; from += MAX_ROW_BYTES) {
      this.#write({ id: ++id, data: data.slice(from, from + MAX_ROW_BYTES) });
    }
  }

  /** Puts one update in the place of all others. Call it in a transaction; if that fails, `forget`. */
  replace(update: Uint8Array): void {
    this.#sql.exec("DELETE FROM updates");
    this.forget();
    this.append([update]);
  }

  /** Forgets what memory repeats. */
  forget(): void {
    this.#last = undefined;
  }

  #write(row: Row): void {
    this.#sql.exec("INSERT OR REPLACE INTO updates (id, data) VALUES (?, ?)", row.id, row.data);
    this.#last = row;
  }

  #readLast(): Row | undefined {
    const [row] = this.#sql
      .exec<{ id: number; data: ArrayBuffer }>("SELECT id, data FROM updates ORDER BY id DESC LIMIT 1")
      .toArray();
    return row && { id: row.id, data: new Uint8Array(row.data) };
  }
}
