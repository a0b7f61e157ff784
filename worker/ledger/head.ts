/** The hash that stands for all transactions of a ledger, kept up as they come: each call hashes only what is new. */
import { sha256 } from "../../contract/secrets.ts";
import type { Archive } from "./archive.ts";
import { linesOf } from "./chain.ts";
import { transactionsAfter } from "./transactions.ts";

/** Rows that are read at once. */
const CHUNK = 5_000;

export class Head {
  readonly #sql: SqlStorage;
  readonly #archive: Archive;
  #known: { readonly seq: number; readonly hash: string } | undefined;

  constructor(sql: SqlStorage, archive: Archive) {
    this.#sql = sql;
    this.#archive = archive;
  }

  /** The hash of transaction `seq`, which is a row or the last of the archive. */
  async at(seq: number): Promise<string> {
    for (;;) {
      const { sealed, head: sealedHead, generation } = this.#archive;
      const isKnown = this.#known && this.#known.seq >= sealed && this.#known.seq <= seq;
      const from = isKnown && this.#known ? this.#known : { seq: sealed, hash: sealedHead };
      const rows = transactionsAfter(this.#sql, from.seq, Math.min(CHUNK, seq - from.seq));
      if (rows.length === 0) return from.hash;
      // What is read now cannot change, even if it is moved to the archive meanwhile.
      const { head } = await linesOf(rows, from.hash, sha256);
      // But the ledger may have been deleted, and these numbers may come again.
      if (generation === this.#archive.generation) this.#known = { seq: rows.at(-1)?.seq ?? from.seq, hash: head };
    }
  }

  /** Forgets everything, after the rows were deleted. */
  forget(): void {
    this.#known = undefined;
  }
}
