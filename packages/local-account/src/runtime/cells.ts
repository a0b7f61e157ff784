/** Tables and their rows in a form that JSON can carry. Types alone: the page of the account has them, too. */

/** A value of a row. Whole numbers are texts: they may be larger than JavaScript's. */
export type Cell =
  | { readonly type: "null" }
  | { readonly type: "integer" | "real"; readonly value: string }
  /** `length` is set where not all of it is shown. */
  | { readonly type: "text" | "value"; readonly value: string; readonly length?: number }
  /** `hex` is its beginning. */
  | { readonly type: "blob"; readonly hex: string; readonly length: number };

export interface Table {
  readonly name: string;
  /** What the key-value methods of an object's storage write is no table to who wrote it. */
  readonly isKeyValue: boolean;
  /** Null where SQLite cannot count them, as in a virtual table of an extension that is not here. */
  readonly rows: number | null;
}

export interface Rows {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}
