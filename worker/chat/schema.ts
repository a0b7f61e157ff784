/** The tables of a room. */
import type { SchemaSteps } from "../objects/steps.ts";

const MESSAGES_TABLE = `
  CREATE TABLE messages (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL, user_id TEXT NOT NULL, text TEXT NOT NULL, at INTEGER NOT NULL,
    client_id TEXT, attachment TEXT
  ) STRICT`;

const SENT_TABLE = "CREATE TABLE sent (batch INTEGER PRIMARY KEY, entries TEXT NOT NULL) STRICT";

const UPLOADS_TABLE = `
  CREATE TABLE uploads (
    key TEXT PRIMARY KEY, blob TEXT NOT NULL, user_id TEXT NOT NULL, type TEXT NOT NULL, size INTEGER NOT NULL,
    name TEXT, state TEXT NOT NULL CHECK (state IN ('reserved', 'stored', 'sent', 'leaving')), at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`;

/** The highest number that is gone by age. It and all before it are never shown again. */
const AGED_TABLE = "CREATE TABLE aged (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL) STRICT";

/** A message without text and file was deleted (`Message.text`). A query finds the index below only by these words. */
export const IS_DELETED = "text = '' AND attachment IS NULL";

/** The numbers of deleted messages, so that who resumes learns them without a look at all rows. */
const DELETED_INDEX = `CREATE INDEX deleted ON messages (seq) WHERE ${IS_DELETED}`;

export const schema: SchemaSteps = [MESSAGES_TABLE, SENT_TABLE, UPLOADS_TABLE, AGED_TABLE, DELETED_INDEX];
