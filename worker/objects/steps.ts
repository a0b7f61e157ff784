/**
 * Steps of an object's SQL schema, as data. The Worker runs them (schema.ts). A release records them, so that a plan
 * knows whether older code works with its tables.
 */

/** SQL that takes a schema from one version to the next. A step that is only a text may only add (`adds`). */
export type SchemaStep = string | { readonly sql: string; readonly olderCode: "works" | "breaks" };

/**
 * Append only: never change a released step. Older code meets the tables of a newer release after a rollback, and
 * during a rollout. It works with added tables and columns, because every INSERT names its columns. Any other step says
 * whether older code works with it.
 */
export type SchemaSteps = readonly SchemaStep[];

/** A step that changes existing tables in a way that older code works with. `npm run rehearse` tests that. */
export const compatible = (sql: string): SchemaStep => ({ sql, olderCode: "works" });

/**
 * A step that breaks older code. No earlier version can serve again: the plan raises the rollback floor, and the
 * release goes out to all traffic at once.
 */
export const breaking = (sql: string): SchemaStep => ({ sql, olderCode: "breaks" });

export const sqlOf = (step: SchemaStep): string => (typeof step === "string" ? step : step.sql);

/** Whether SQL only adds tables, indexes and columns, which older code ignores. */
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

/** The same SQL on one line, because its layout is not part of a step. */
export const oneLine = (sql: string): string => sql.replaceAll(/\s+/g, " ");

/** The answers that an object gave under an `Idempotency-Key` (replays.ts). */
export const REPLAYS_TABLE = `
  CREATE TABLE replays (
    period INTEGER NOT NULL, key TEXT NOT NULL, payload TEXT NOT NULL, answer TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (period, key)
  ) STRICT, WITHOUT ROWID`;
