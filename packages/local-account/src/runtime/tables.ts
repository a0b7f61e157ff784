/** Reads an SQLite file: its tables, and their rows page by page, in a JSON form. */

import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { inspect } from "node:util";
import { deserialize } from "node:v8";
import type { Cell, Rows, Table } from "./cells.ts";

/** workerd's table for the key-value methods of an object's storage. Its other `_cf_` tables are internal. */
const KEY_VALUE_TABLE = "_cf_KV";

/** How many characters of a text, and bytes of a blob, are shown. */
const SHOWN_CHARACTERS = 4_000;
const SHOWN_BYTES = 64;

/** The tables by name. The key-value storage comes first, unless it is empty. */
export function tablesOf(db: DatabaseSync): Table[] {
  const names = db
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name COLLATE NOCASE")
    .all()
    .map(({ name }) => String(name));
  const own = names.filter((name) => !/^(_cf_|sqlite_)/.test(name)).map((name) => table(db, name));
  const keyValue = names.includes(KEY_VALUE_TABLE) ? [table(db, KEY_VALUE_TABLE)] : [];
  return [...keyValue.filter(({ rows }) => rows !== 0), ...own];
}

function table(db: DatabaseSync, name: string): Table {
  return { name, isKeyValue: name === KEY_VALUE_TABLE, rows: count(db, name) };
}

function count(db: DatabaseSync, name: string): number | null {
  try {
    return Number(db.prepare(`SELECT count(*) AS count FROM ${quoted(name)}`).get()?.count);
  } catch {
    return null;
  }
}

/** The rows of a table from `tablesOf`, in the table's own order. */
export function rowsOf(
  db: DatabaseSync,
  { name, isKeyValue }: Pick<Table, "name" | "isKeyValue">,
  { offset, limit }: { readonly offset: number; readonly limit: number },
): Rows {
  const statement = db.prepare(`SELECT * FROM ${quoted(name)} LIMIT ? OFFSET ?`);
  statement.setReadBigInts(true);
  const columns = statement.columns().map((column) => column.name);
  const rows = statement
    .all(limit, offset)
    .map((row) => columns.map((column) => cellOf(row[column] ?? null, isKeyValue && column === "value")));
  return { columns, rows };
}

function cellOf(value: SQLOutputValue, isSerialized: boolean): Cell {
  if (value === null) return { type: "null" };
  if (typeof value === "bigint") return { type: "integer", value: String(value) };
  if (typeof value === "number") return { type: "real", value: String(value) };
  if (typeof value === "string") return { type: "text", ...shortened(value) };
  return (isSerialized && storedValue(value)) || blob(value);
}

/** Reads a value of the key-value methods, which store V8's own format; undefined if this V8 cannot read it. */
function storedValue(bytes: Uint8Array): Cell | undefined {
  try {
    const value: unknown = deserialize(bytes);
    const text = inspect(value, { depth: 8, breakLength: 100, maxStringLength: SHOWN_CHARACTERS });
    return { type: "value", ...shortened(text) };
  } catch {
    return undefined;
  }
}

function blob(bytes: Uint8Array): Cell {
  return { type: "blob", hex: Buffer.from(bytes.subarray(0, SHOWN_BYTES)).toString("hex"), length: bytes.byteLength };
}

/** The shown part of a text, and its full length if that is not all. */
export function shortened(text: string): { readonly value: string; readonly length?: number } {
  return text.length <= SHOWN_CHARACTERS
    ? { value: text }
    : { value: text.slice(0, SHOWN_CHARACTERS), length: text.length };
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
