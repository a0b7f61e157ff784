/**
 * A ledger, part by part, as NDJSON: the archive's segments as they are, the rows as lines that follow them, and at the
 * end the accounts and a line that says how much there must be. `npm run ledger -- export` puts the parts into one file
 * and checks it.
 */

import { sha256 } from "../../contract/secrets.ts";
import { damageIn } from "../objects/retry.ts";
import { accountsAfter } from "./accounts.ts";
import type { Archive } from "./archive.ts";
import { readBase, type Segment, segmentWith } from "./book.ts";
import { accountLine, damagedLine, type ExportedAccount, endLine, GENESIS, linesOf } from "./chain.ts";
import { transactionsAfter } from "./transactions.ts";

/** Rows of a part. */
const MAX_ROWS = 2_000;
/** The most accounts of an export: they are read at one moment, so that they fit the last transaction. */
const MAX_ACCOUNTS = 50_000;

/** Lines of an export, and the cursor of the next part; null after the last. */
export interface ExportPart {
  readonly text: string;
  readonly next: string | null;
}

/** How far an export has come: the number and hash of the last transaction, and the lines so far. */
interface Cursor {
  readonly after: number;
  readonly head: string;
  readonly lines: number;
}

export class Export {
  readonly #sql: SqlStorage;
  readonly #archive: Archive;
  readonly #self: () => string;

  constructor(sql: SqlStorage, { archive, self }: { archive: Archive; self: () => string }) {
    this.#sql = sql;
    this.#archive = archive;
    this.#self = self;
  }

  /** `cursor`: `""`, or that of the part before. Undefined if it is neither. `newest`: the newest transaction's number. */
  async part(cursor: string, newest: number): Promise<ExportPart | undefined> {
    const base = readBase(this.#sql);
    const from = cursor === "" ? { after: base, head: GENESIS, lines: 0 } : cursorIn(cursor);
    if (!from || from.after < base || from.after > newest) return undefined;
    const segment = segmentWith(this.#sql, from.after + 1);
    return segment ? this.#segment(segment, from) : this.#rows(from);
  }

  async #segment(segment: Segment, { after, lines: before }: Cursor): Promise<ExportPart> {
    const { number, first, last, head } = segment;
    const text = await this.#archive.text(segment).catch((error: unknown) => {
      const why = damageIn(error);
      if (why === undefined) throw error;
      // The rest can still be exported; whoever checks it is told of what is not there.
      return `${damagedLine({ ledger: this.#self(), damaged: { segment: number, first, last, why } })}\n`;
    });
    // What was read as rows before may have been sealed since.
    const wanted =
      first > after
        ? text
        : text
            .split("\n")
            .slice(after + 2 - first)
            .join("\n");
    const lines = before + wanted.split("\n").length - 1;
    return { text: wanted, next: `${last}:${head}:${lines}` };
  }

  /** The rows with the hashes that they will have in the archive; with the last of them, the accounts. */
  async #rows({ after, head: given, lines: before }: Cursor): Promise<ExportPart> {
    const found = transactionsAfter(this.#sql, after, MAX_ROWS + 1);
    const isLast = found.length <= MAX_ROWS;
    const accounts = isLast ? accountsAfter(this.#sql, "", MAX_ACCOUNTS + 1) : [];
    const rows = found.slice(0, MAX_ROWS);
    const start = after === this.#archive.sealed ? this.#archive.head : given;
    const { lines, head } = await linesOf(rows, start, sha256);
    const last = rows.at(-1)?.seq ?? after;
    if (isLast) lines.push(...(await this.#end(accounts, { after: last, head, lines: before + lines.length })));
    return {
      text: lines.map((line) => `${line}\n`).join(""),
      next: isLast ? null : `${last}:${head}:${before + lines.length}`,
    };
  }

  async #end(found: readonly ExportedAccount[], { after, head, lines: before }: Cursor): Promise<readonly string[]> {
    const ledger = this.#self();
    const accounts = found.slice(0, MAX_ACCOUNTS);
    const lines = await Promise.all(accounts.map((account) => accountLine(ledger, account, sha256)));
    const end = {
      transactions: after,
      head,
      accounts: accounts.length,
      complete: found.length <= MAX_ACCOUNTS,
      lines: before + lines.length + 1,
    };
    return [...lines, await endLine(ledger, end, lines, sha256)];
  }
}

function cursorIn(text: string): Cursor | undefined {
  const [, after, head, lines] = /^(\d{1,16}):([0-9a-f]{64}):(\d{1,16})$/.exec(text) ?? [];
  return head === undefined ? undefined : { after: Number(after), head, lines: Number(lines) };
}
