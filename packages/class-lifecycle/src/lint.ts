/**
 * Lints a history. It finds the mistakes that the builder's types cannot find; and all others too, for histories that
 * were not built with those types (an import, plain data). It returns all findings at once, in the order of the steps.
 *
 * A rule checks one step or one change. To add a rule, write it and put it into its list.
 */
import type { Finding } from "./findings.ts";
import { type Change, type Migration, namesIn } from "./history.ts";
import { applyChange, type LiveClasses } from "./replay.ts";

/** `0001-create-patterns`: four digits, so that steps sort as they are ordered. */
const STEP_NAME = /^\d{4}-[a-z0-9]+(-[a-z0-9]+)*$/;
/** A name that JavaScript can export and Cloudflare accepts as a class name. */
const CLASS_NAME = /^[A-Za-z_$][\w$]{0,63}$/;

/** A step, and the names of all steps before it. */
interface StepAt {
  readonly step: Migration;
  readonly before: readonly string[];
}

/** A change, and the history up to it. */
interface ChangeAt {
  readonly step: string;
  /** The step before it, if there is one. */
  readonly previous: string | undefined;
  readonly change: Change;
  /** Classes that exist right before the change. */
  readonly alive: LiveClasses;
  /** Every class that ever existed before the change, with the step that created it. */
  readonly everAlive: ReadonlyMap<string, string>;
  /** Classes that earlier changes of the same step name. */
  readonly touched: ReadonlySet<string>;
}

type Rule<At> = (at: At) => Finding | readonly Finding[] | undefined;

const STEP_RULES: readonly Rule<StepAt>[] = [stepNameIsWellFormed, stepIsInOrder, stepChangesSomething];
const CHANGE_RULES: readonly Rule<ChangeAt>[] = [
  classNamesAreValid,
  classChangesOnce,
  changedClassExists,
  newClassIsNew,
];

/** Lints `migrations`. */
export function lint(migrations: readonly Migration[]): readonly Finding[] {
  if (migrations.length === 0) {
    return [
      {
        code: "history_empty",
        subject: "infra/migrations.ts",
        message: "the history has no steps.",
        fix: "add a first step that creates the classes.",
      },
    ];
  }
  const findings: Finding[] = [];
  const before: string[] = [];
  const everAlive = new Map<string, string>();
  let alive: LiveClasses = new Map();
  for (const step of migrations) {
    findings.push(...broken(STEP_RULES, { step, before }));
    const previous = before.at(-1);
    before.push(step.name);
    const touched = new Set<string>();
    for (const change of step.changes) {
      findings.push(...broken(CHANGE_RULES, { step: step.name, previous, change, alive, everAlive, touched }));
      for (const name of namesIn(change)) touched.add(name);
      const brought = brings(change);
      if (brought !== undefined) everAlive.set(brought, step.name);
      alive = applyChange(alive, change);
    }
  }
  return findings;
}

const broken = <At>(rules: readonly Rule<At>[], at: At): readonly Finding[] => rules.flatMap((rule) => rule(at) ?? []);

function stepNameIsWellFormed({ step: { name } }: StepAt): Finding | undefined {
  if (STEP_NAME.test(name)) return undefined;
  return {
    code: "step_name_invalid",
    subject: name,
    message: "it is not a step's name like 0002-rename-room.",
    fix: "use four digits, a dash, and lower-case words.",
  };
}

function stepIsInOrder({ step: { name }, before }: StepAt): Finding | undefined {
  if (before.includes(name)) {
    return {
      code: "step_name_duplicate",
      subject: name,
      message: "two steps have this name.",
      fix: "give the later one the next number.",
    };
  }
  const previous = before.at(-1);
  if (previous === undefined || name >= previous) return undefined;
  return {
    code: "step_out_of_order",
    subject: name,
    message: `it comes after ${previous}, which has a higher number.`,
    fix: "append steps in the order of their numbers.",
  };
}

function stepChangesSomething({ step: { name, changes } }: StepAt): Finding | undefined {
  if (changes.length > 0) return undefined;
  return {
    code: "step_empty",
    subject: name,
    message: "it changes nothing.",
    fix: "add its changes, or delete the step before it is released.",
  };
}

function classNamesAreValid({ step, change }: ChangeAt): readonly Finding[] {
  return namesIn(change)
    .filter((name) => !CLASS_NAME.test(name))
    .map((name) => ({
      code: "class_name_invalid",
      subject: name,
      message: `step ${step} names it, but it is not a valid class name.`,
      fix: "use a JavaScript identifier of at most 64 characters.",
    }));
}

function classChangesOnce({ step, change, touched }: ChangeAt): readonly Finding[] {
  return namesIn(change)
    .filter((name, i, names) => touched.has(name) || names.indexOf(name) !== i)
    .map((name) => ({
      code: "class_changed_twice",
      subject: name,
      message: `step ${step} changes it twice.`,
      fix: "put the second change into a step of its own, released after this one.",
    }));
}

function changedClassExists({ step, change, alive }: ChangeAt): Finding | undefined {
  const needed = needs(change);
  if (needed === undefined || alive.has(needed)) return undefined;
  const hint = alive.size ? `alive there: ${[...alive.keys()].join(", ")}.` : "no class is alive there.";
  return {
    code: "class_does_not_exist",
    subject: needed,
    message: `step ${step} wants to ${change.op} it, but it does not exist at that point; ${hint}`,
    fix: "name a class that an earlier step created.",
  };
}

function newClassIsNew({ step, previous, change, alive, everAlive }: ChangeAt): Finding | undefined {
  const brought = brings(change);
  if (brought === undefined) return undefined;
  const since = everAlive.get(brought);
  if (alive.has(brought)) {
    return {
      code: "class_exists",
      subject: brought,
      message: `step ${step} brings it to life, but it is alive since ${since ?? "before"}.`,
      fix: "remove or rename the one that exists first, or choose another name.",
    };
  }
  if (since === undefined) return undefined;
  return {
    code: "class_name_reused",
    subject: brought,
    message: `step ${step} uses a name again that was given up after ${since}.`,
    fix: `an environment that is behind cannot tell the two classes of this name apart. ${
      change.op === "receive"
        ? `It has its sender's name: promote a release whose history ends at ${previous} to every stack before this one`
        : "Choose a new name, as long as the step is not released"
    }.`,
  };
}

/** The class that must exist before a change, if the change needs one. */
function needs(change: Change): string | undefined {
  if (change.op === "rename") return change.from;
  return change.op === "remove" || change.op === "send" ? change.className : undefined;
}

/** The class that a change brings to life, if it does. */
function brings(change: Change): string | undefined {
  if (change.op === "rename") return change.to;
  return change.op === "create" || change.op === "receive" ? change.className : undefined;
}
