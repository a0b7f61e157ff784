/** The tables of a counter. */
import { REPLAYS_TABLE, type SchemaSteps } from "../objects/steps.ts";
import { MAX_COUNT } from "./count.ts";

export const schema: SchemaSteps = [
  `CREATE TABLE counter (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     count INTEGER NOT NULL CHECK (count BETWEEN 0 AND ${MAX_COUNT}),
     shared_until INTEGER NOT NULL
   ) STRICT`,
  REPLAYS_TABLE,
  // When it was last changed; null once a known caller has changed it, so that it is kept.
  "ALTER TABLE counter ADD COLUMN idle_since INTEGER",
  // What was subtracted from a part of a wide counter, which has no floor of its own: it is `count - minus`.
  "ALTER TABLE counter ADD COLUMN minus INTEGER NOT NULL DEFAULT 0",
];
