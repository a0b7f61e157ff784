/**
 * The table that sessions had before they were one value in KV. A table of its own made a new session cost seven rows in
 * place of two. An object that still has one moves what is in it (session.ts), and then drops it.
 */
import { breaking, type SchemaSteps } from "../objects/steps.ts";

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
  // Older code finds no session in KV, and its alarm would delete it.
  breaking("DROP TABLE session"),
];
