/** The author of edits, as far as the document needs to know. */
import type { Caller } from "../who.ts";

export interface Author {
  /** Whether the caller is known (no guest, not anonymous): then the document is kept. */
  readonly known: boolean;
  /** The id of a user, who owns the document if this is its first edit. */
  readonly user?: string;
}

/** What a caller is as an author. */
export const authorOf = ({ kind, id }: Pick<Caller, "kind" | "id">, known: boolean): Author => ({
  known,
  ...(kind === "user" && { user: id }),
});
