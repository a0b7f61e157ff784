/** Tables and their rows in a JSON form. Only types, because the account's page uses them too. */

/** A value of a row. Whole numbers are texts, because they may be too large for JavaScript. */
export type Cell =
  | { readonly type: "null" }
  | { readonly type: "integer" | "real"; readonly value: string }
  /** `length` is set if only a part is shown. */
  | { readonly type: "text" | "value"; readonly value: string; readonly length?: number }
  /** `hex` has its first bytes. */
  | { readonly type: "blob"; readonly hex: string; readonly length: number };

export interface Table {
  readonly name: string;
  /** Whether this is the table behind the key-value methods of an object's storage. */
  readonly isKeyValue: boolean;
  /** Null if SQLite cannot count them, as in a virtual table of a missing extension. */
  readonly rows: number | null;
}

export interface Rows {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}
