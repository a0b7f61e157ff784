/** The table of a session. */
import type { SchemaSteps } from "../objects/steps.ts";

export const schema: SchemaSteps = [
  `CREATE TABLE session (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     user_id TEXT NOT NULL,
     role TEXT NOT NULL,
     metadata TEXT,
     created_at INTEGER NOT NULL,
     expires_at INTEGER NOT NULL,
     ends_at INTEGER NOT NULL CHECK (ends_at >= expires_at),
     sliding_ms INTEGER NOT NULL
   ) STRICT`,
];
