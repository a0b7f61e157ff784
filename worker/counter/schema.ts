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
  // When it was last changed; null where somebody known has changed it, so that it stays.
  "ALTER TABLE counter ADD COLUMN idle_since INTEGER",
];
