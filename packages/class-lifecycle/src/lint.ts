/**
 * Lints a history: everything that the builder's types cannot tell, and everything they can for a history that
 * came from elsewhere (an import, plain data). All findings at once, in the order of the steps.
 */

import type { Code, Finding } from "./findings.ts";
import type { Change, Migration } from "./history.ts";
import { applyChange, type LiveClasses } from "./replay.ts";

/** `0001-create-patterns`: four digits, so that steps sort as they are ordered. */
const STEP_NAME = /^\d{4}-[a-z0-9]+(-[a-z0-9]+)*$/;
/** What JavaScript can export and Cloudflare accepts as a class name. */
const CLASS_NAME = /^[A-Za-z_$][\w$]{0,63}$/;

/** The class names that a change touches, old ones and new ones. */
function namesIn(change: Change): readonly string[] {
  return change.op === "rename" ? [change.from, change.to] : [change.className];
}

/** The class that a change needs alive before it, if it needs one. */
function needs(change: Change): string | undefined {
  if (change.op === "rename") return change.from;
  return change.op === "remove" || change.op === "send" ? change.className : undefined;
}

/** The class that a change brings to life, if it does. */
function brings(change: Change): string | undefined {
  if (change.op === "rename") return change.to;
  return change.op === "create" || change.op === "receive" ? change.className : undefined;
}

/** Lints `migrations`. `self` is a name or pattern of the Worker itself, so that no class is sent to where it is. */
export function lint(migrations: readonly Migration[], self?: string): readonly Finding[] {
  const findings: Finding[] = [];
  const add = (code: Code, subject: string, message: string, fix: string) =>
    findings.push({ code, subject, message, fix });

  if (migrations.length === 0) {
    add(
      "history_empty",
      "infra/migrations.ts",
      "the history has no steps.",
      "add a first step that creates the classes.",
    );
  }
  const stepNames = new Set<string>();
  const everAlive = new Map<string, string>();
  let alive: LiveClasses = new Map();
  let previous = "";

  for (const { name, changes } of migrations) {
    if (!STEP_NAME.test(name)) {
      add(
        "step_name_invalid",
        name,
        "a step is named like 0002-rename-room.",
        "use four digits, a dash, and lower-case words.",
      );
    }
    if (stepNames.has(name)) {
      add("step_name_duplicate", name, "two steps have this name.", "give the later one the next number.");
    } else if (name < previous) {
      add(
        "step_out_of_order",
        name,
        `it stands behind ${previous}, which sorts after it.`,
        "append steps in the order of their numbers.",
      );
    }
    if (changes.length === 0) {
      add("step_empty", name, "it changes nothing.", "add its changes or take the step away before it is released.");
    }
    stepNames.add(name);
    previous = name;

    const touched = new Set<string>();
    for (const change of changes) {
      for (const className of namesIn(change)) {
        if (!CLASS_NAME.test(className)) {
          add(
            "class_name_invalid",
            className,
            `step ${name} names it, but it is no class name.`,
            "use a JavaScript identifier of at most 64 characters.",
          );
        }
        if (touched.has(className)) {
          add(
            "class_changed_twice",
            className,
            `step ${name} changes it twice.`,
            "put the second change into a step of its own, released after this one.",
          );
        }
        touched.add(className);
      }
      const needed = needs(change);
      if (needed !== undefined && !alive.has(needed)) {
        const hint = alive.size ? `alive there: ${[...alive.keys()].join(", ")}.` : "no class is alive there.";
        add(
          "class_does_not_exist",
          needed,
          `step ${name} wants to ${change.op} it, but it does not exist at that point; ${hint}`,
          "name a class that an earlier step created.",
        );
      }
      const brought = brings(change);
      if (brought !== undefined) {
        const before = everAlive.get(brought);
        if (alive.has(brought)) {
          add(
            "class_exists",
            brought,
            `step ${name} brings it to life, but it is alive since ${before ?? "before"}.`,
            "remove or rename the one that exists first, or choose another name.",
          );
        } else if (before !== undefined) {
          add(
            "class_name_reused",
            brought,
            `step ${name} uses a name again that was given up after ${before}.`,
            "choose a new name: an environment that is behind cannot catch up over a name with two meanings.",
          );
        }
        everAlive.set(brought, name);
      }
      if (
        self !== undefined &&
        ((change.op === "send" && change.toWorker === self) || (change.op === "receive" && change.fromWorker === self))
      ) {
        add(
          "transfer_to_itself",
          namesIn(change).join(),
          `step ${name} moves it to the Worker that it is in.`,
          "name another Worker, or use rename.",
        );
      }
      alive = applyChange(alive, change);
    }
  }
  return findings;
}
