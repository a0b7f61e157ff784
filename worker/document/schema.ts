/** The tables of a document. */
import { REPLAYS_TABLE, type SchemaSteps } from "../objects/steps.ts";

/** All rows, in their order, are one stream of updates (rows.ts). */
const UPDATES_TABLE = "CREATE TABLE updates (id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT";

/** The versions in R2. A row is there before the first byte is in R2, and goes after the last one. */
const VERSIONS_TABLE = `
  CREATE TABLE versions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, name TEXT, at INTEGER NOT NULL, bytes INTEGER NOT NULL,
    hash TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('arriving', 'stored', 'leaving'))
  ) STRICT`;

export const schema: SchemaSteps = [UPDATES_TABLE, VERSIONS_TABLE, REPLAYS_TABLE];
