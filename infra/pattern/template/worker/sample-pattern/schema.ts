/** The table of the sample pattern. Append only: see worker/objects/steps.ts. */
import type { SchemaSteps } from "../objects/steps.ts";

export const schema: SchemaSteps = [
  "CREATE TABLE content (id INTEGER PRIMARY KEY CHECK (id = 1), text TEXT NOT NULL, revision INTEGER NOT NULL) STRICT",
];
