/** What becomes of a pattern's class in the history: a step more, or no trace where nothing was ever released. */
import { type Change, type Migration, sourceOf } from "@durable-stack/class-lifecycle";

/** `0007-create-jobs`, behind the last step. */
export function nextStepName(migrations: readonly Migration[], words: string): string {
  const last = Number.parseInt(migrations.at(-1)?.name ?? "0", 10);
  return `${String((Number.isNaN(last) ? migrations.length : last) + 1).padStart(4, "0")}-${words}`;
}

/** The text of infra/migrations.ts with a step more; all else stays as it is written. @throws Error where it has no end. */
export function withStep(text: string, step: Migration): string {
  const end = /;\s*$/.exec(text);
  if (!end) throw new Error("infra/migrations.ts does not end with its history any more: write the step by hand.");
  const source = sourceOf([step], "history()").replace(/^history\(\)\n/, "");
  return `${text.slice(0, end.index)}\n${source}`;
}

/**
 * The history as if the class had never been. Undefined where that cannot be told: it was renamed, came from another
 * Worker, or was removed already.
 */
export function withoutClass(migrations: readonly Migration[], className: string): readonly Migration[] | undefined {
  const names = (change: Change) => (change.op === "rename" ? [change.from, change.to] : [change.className]);
  const changes = migrations.flatMap((step) => step.changes).filter((change) => names(change).includes(className));
  if (changes.length !== 1 || changes[0]?.op !== "create") return undefined;
  return migrations
    .map(({ name, changes: all }) => ({ name, changes: all.filter((change) => change !== changes[0]) }))
    .filter((step) => step.changes.length > 0);
}
