/** The SQL schemas of the patterns' classes, as a release records them: pure. */
import type { ClassSchema, Schemas } from "../../contract/release.ts";
import { adds, oneLine, type SchemaSteps, sqlOf } from "../../worker/objects/steps.ts";
import type { PatternFacts } from "../../worker/pattern.ts";
import { digestOf } from "./manifest.ts";

const HASH_DIGITS = 12;

/** The schemas of those of `classes` that a pattern has with tables. */
export const schemasOf = (patterns: readonly PatternFacts[], classes: readonly string[]): Schemas =>
  Object.fromEntries(
    patterns.flatMap(({ class: className, schema }) =>
      schema && classes.includes(className) ? [[className, recordOf(schema)]] : [],
    ),
  );

/** Steps that neither only add nor say what they do to older code: `CounterDO: step 3`, and their SQL. */
export const undecided = (
  patterns: readonly PatternFacts[],
): readonly { readonly step: string; readonly sql: string }[] =>
  patterns.flatMap(({ class: className, schema = [] }) =>
    schema.flatMap((step, index) =>
      typeof step === "string" && !adds(step) ? [{ step: `${className}: step ${index + 1}`, sql: step.trim() }] : [],
    ),
  );

function recordOf(schema: SchemaSteps): ClassSchema {
  let before = "";
  const steps = schema.map((step) => {
    before = digestOf(`${before}\n${oneLine(sqlOf(step)).trim()}`).slice(0, HASH_DIGITS);
    return before;
  });
  const needs = schema.findLastIndex((step) => typeof step !== "string" && step.olderCode === "breaks") + 1;
  return { steps, needs };
}
