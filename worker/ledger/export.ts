/**
 * A ledger, part by part, as NDJSON: the archive's segments as they are, the rows as lines that follow them, and at the
 * end the accounts. `npm run ledger -- export` puts the parts into one file and checks it.
 */

import { accountsAfter } from "./accounts.ts";
import { type Archive, sha256 } from "./archive.ts";
import { readBase, segmentWith } from "./book.ts";
import { accountLine, GENESIS, linesOf } from "./chain.ts";
import { transactionsAfter } from "./transactions.ts";

const MAX_LINES = 2_000;

/** Lines of an export, and the cursor of the next part; null after the last. */
export interface ExportPart {
  readonly text: string;
  readonly next: string | null;
}

export class Export {
  readonly #sql: SqlStorage;
  readonly #archive: Archive;
  readonly #self: () => string;

  constructor(sql: SqlStorage, archive: Archive, self: () => string) {
    this.#sql = sql;
    this.#archive = archive;
    this.#self = self;
  }

  /** `cursor`: `""`, or that of the part before. */
  async part(isEmpty: boolean, cursor: string): Promise<ExportPart> {
    if (isEmpty) return { text: "", next: null };
    if (cursor.startsWith("accounts:")) return await this.#accounts(cursor.slice("accounts:".length));
    const after = cursor === "" ? readBase(this.#sql) : Number(cursor);
    const segment = segmentWith(this.#sql, after + 1);
    if (!segment) return this.#rows(after);
    const text = await this.#archive.text(segment);
    // What was read as rows before has been sealed since.
    const [, ...lines] = segment.first > after ? [] : text.split("\n");
    return {
      text: segment.first > after ? text : lines.slice(after + 1 - segment.first).join("\n"),
      next: String(segment.last),
    };
  }

  /** The rows after number `after`, with the hashes that they will have in the archive. */
  async #rows(after: number): Promise<ExportPart> {
    const { sealed, newest } = this.#archive;
    const rows = transactionsAfter(this.#sql, sealed, after - sealed + MAX_LINES);
    const { lines } = await linesOf(rows, newest?.head ?? GENESIS, sha256);
    const wanted = lines.slice(after - sealed);
    const last = rows.at(-1)?.seq ?? sealed;
    const next = wanted.length < MAX_LINES ? "accounts:" : String(last);
    return { text: wanted.map((line) => `${line}\n`).join(""), next };
  }

  async #accounts(after: string): Promise<ExportPart> {
    const ledger = this.#self();
    const accounts = accountsAfter(this.#sql, after, MAX_LINES);
    const lines = await Promise.all(accounts.map((account) => accountLine(ledger, account, sha256)));
    const last = accounts.at(-1);
    return {
      text: lines.map((line) => `${line}\n`).join(""),
      next: accounts.length === MAX_LINES && last ? `accounts:${last.name}` : null,
    };
  }
}
