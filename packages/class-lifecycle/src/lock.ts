/**
 * The lock of a history: one line per step, with a hash over this step and all before it. So every edited, reordered or
 * removed step is found, and two branches that append a step conflict when they merge.
 */
import { createHash } from "node:crypto";
import type { Finding } from "./findings.ts";
import type { Migration } from "./history.ts";

/** Name of the lock file, beside infra/migrations.ts. */
export const LOCK_FILE = "infra/migrations.lock";
const HEADER =
  "# The recorded past of infra/migrations.ts. Made by `npm run migrations -- lock`; commit it, never edit it.";
/** Hex digits of each sha256: enough against accidents, short enough for a diff and a version's annotation. */
const DIGITS = 16;

/** The lines that git puts around both sides of a conflict. */
const CONFLICT = /^(?:<{7}|\|{7}|={7}|>{7})(?: |$)/;
const conflicting: Finding = {
  code: "lock_conflict",
  subject: LOCK_FILE,
  message: "the file has git's marks of a conflict: two branches have added a step.",
  fix: `the step of main keeps its place. Take main's lock (\`git checkout main -- ${LOCK_FILE}\`), put your step behind main's in infra/migrations.ts, then run \`npm run migrations -- lock\`.`,
};

/** The cumulative hash after each step: `hashes[i]` covers steps 0…i. */
export function hashes(migrations: readonly Migration[]): readonly string[] {
  let before = "";
  return migrations.map(({ name, changes }) => {
    const canonical = JSON.stringify([before, name, changes.map((change) => Object.entries(change).sort())]);
    before = createHash("sha256").update(canonical).digest("hex").slice(0, DIGITS);
    return before;
  });
}

/** The lock file's text for a history. */
export function formatLock(migrations: readonly Migration[]): string {
  const all = hashes(migrations);
  return `${[HEADER, ...migrations.map(({ name }, i) => `${name} ${all[i]}`)].join("\n")}\n`;
}

/** Compares a history with its lock file (null: there is none), whatever its line ends. A changed or unrecorded step is an error. */
export function checkLock(migrations: readonly Migration[], lock: string | null): readonly Finding[] {
  if (lock === null) {
    return [
      {
        code: "lock_missing",
        subject: LOCK_FILE,
        message: "the file does not exist.",
        fix: "run `npm run migrations -- lock` and commit it.",
      },
    ];
  }
  const lines = lock.split(/\r?\n/).filter((line) => line.trim() && !line.startsWith("#"));
  if (lines.some((line) => CONFLICT.test(line))) return [conflicting];
  const all = hashes(migrations);
  for (const [i, line] of lines.entries()) {
    const migration = migrations[i];
    if (!migration || line !== `${migration.name} ${all[i]}`) {
      const name = line.split(" ")[0] ?? line;
      return [
        {
          code: "lock_past_changed",
          subject: name,
          message: migration
            ? `step ${i + 1} is recorded as "${line}" but the history now has "${migration.name} ${all[i]}": a released step was edited, reordered or replaced.`
            : `step ${i + 1} is recorded as "${line}" but the history ends before it.`,
          fix: `restore step ${name} in infra/migrations.ts as it was when ${LOCK_FILE} was committed, and append a new step instead.`,
        },
      ];
    }
  }
  return migrations.slice(lines.length).map(({ name }) => ({
    code: "lock_behind" as const,
    subject: name,
    message: `the step is not recorded in ${LOCK_FILE}.`,
    fix: "run `npm run migrations -- lock` and commit the file with the step.",
  }));
}
