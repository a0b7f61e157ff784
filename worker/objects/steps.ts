/**
 * Steps of an object's SQL schema, as data: the Worker runs them (schema.ts), and a release records them, so that a plan
 * knows what the code before can live with.
 */

/** SQL that takes a schema from one version to the next. A text only adds: see `adds`. */
export type SchemaStep = string | { readonly sql: string; readonly olderCode: "works" | "breaks" };

/**
 * Append only: never change a released step. Older code meets the tables of a newer release after a rollback, and
 * during a rollout. It works with what a step adds, because every INSERT names its columns.
 * Any other step says what it does to older code.
 */
export type SchemaSteps = readonly SchemaStep[];

/** A step that changes what is there, in a way that older code works with. The rehearsal tries it (`npm run rehearse`). */
export const compatible = (sql: string): SchemaStep => ({ sql, olderCode: "works" });

/**
 * A step that older code cannot live with. No version from before it can serve again: the plan raises the rollback
 * floor, and the release goes out to all traffic at once.
 */
export const breaking = (sql: string): SchemaStep => ({ sql, olderCode: "breaks" });

export const sqlOf = (step: SchemaStep): string => (typeof step === "string" ? step : step.sql);

/** Whether SQL only adds tables, indexes and columns, which older code does not see. */
export function adds(sql: string): boolean {
  const statements = sql
    .replaceAll(/--[^\n]*|\/\*[\s\S]*?\*\//g, " ")
    .split(";")
    .map((statement) => statement.trim())
    .filter(Boolean);
  return statements.every((statement) =>
    /^(CREATE TABLE|CREATE INDEX|ALTER TABLE \S+ ADD( COLUMN)?) /i.test(oneLine(statement)),
  );
}

/** The same SQL on one line: how it is laid out is no part of a step. */
export const oneLine = (sql: string): string => sql.replaceAll(/\s+/g, " ");

/** The answers that an object gave under an `Idempotency-Key` (replays.ts). */
export const REPLAYS_TABLE = `
  CREATE TABLE replays (
    period INTEGER NOT NULL, key TEXT NOT NULL, payload TEXT NOT NULL, answer TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (period, key)
  ) STRICT, WITHOUT ROWID`;
