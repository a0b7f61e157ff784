/**
 * What a run of a pull request's own code has found, as its artifacts hold it. Whoever reads them does not trust that
 * code: every member has a shape and a size, and what may be any text is shown only as text.
 */
import * as v from "valibot";

const Text = v.pipe(v.string(), v.maxLength(1_000_000));
const Line = v.pipe(v.string(), v.maxLength(1_000));
const Lines = v.pipe(v.array(Line), v.maxLength(500));
const Name = v.pipe(v.string(), v.regex(/^[\w.-]{1,100}$/));
const Path = v.pipe(v.string(), v.regex(/^[\w./-]{1,200}$/));
const Digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const Amount = v.pipe(v.number(), v.finite(), v.minValue(0));
/** An amount that a side may not have. */
const Rows = v.nullable(Amount);

const Side = v.object({
  digest: Digest,
  /** The last step of its history. */
  step: Name,
  /** Bytes of all modules. */
  bytes: Amount,
  /** The same compressed. */
  compressed: Amount,
});

/** What can be told without an account. */
export const Facts = v.object({
  /** The release of the base; in words why there is none. */
  before: v.union([Side, v.object({ because: Text })]),
  after: Side,
  /** What stands against the history and its lock. */
  history: Lines,
  /** Steps that the base does not have, and what they do to the classes: the lifecycle step of the next deployment. */
  steps: v.pipe(v.array(Name), v.maxLength(200)),
  classes: Lines,
  /** What changes of the tables of objects. */
  tables: Lines,
  /** Rows that an operation writes, by its option of `npm run cost`; only those that differ. */
  rows: v.pipe(v.array(v.object({ operation: Name, before: Rows, after: Rows })), v.maxLength(500)),
  /** How many operations were compared; undefined where the base does not tell its own. */
  operations: v.optional(Amount),
  /** Files of stacks, and of the Pulumi program, that differ. */
  settings: v.pipe(v.array(Name), v.maxLength(100)),
  program: v.pipe(v.array(Path), v.maxLength(500)),
  rehearsal: v.object({ ok: v.boolean(), text: Text }),
});
export type Facts = v.InferOutput<typeof Facts>;
export type SideFacts = v.InferOutput<typeof Side>;

/** What deploying it to a stack would do. */
export const StackPlan = v.object({
  stack: Name,
  /** The plan, with its warnings and errors; or why there is none. */
  text: Text,
  outcome: v.picklist(["planned", "refused", "unknown"]),
});
export type StackPlan = v.InferOutput<typeof StackPlan>;

/** The files in the artifacts. */
export const FACTS_FILE = "facts.json";
export const PLAN_FILE = "plan.json";
