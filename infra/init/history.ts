/** A history that begins with this project: one step, as long as nothing was released that has the steps before. */
import { type Migration, replay } from "@durable-stack/class-lifecycle";
import { replaceHistory } from "../pattern/history-files.ts";
import type { Draft } from "./draft.ts";

/**
 * The history that creates at once what `migrations` comes to. The same where it only creates, and where a class comes
 * from another Worker or goes to one: the other Worker knows of it.
 */
export function freshHistory(migrations: readonly Migration[]): readonly Migration[] {
  const all = migrations.flatMap((step) => step.changes);
  const moves = all.some(({ op }) => op === "send" || op === "receive");
  if (moves || all.every(({ op }) => op === "create")) return migrations;
  const changes = [...replay(migrations)].map(([className, { storage }]) => ({
    op: "create" as const,
    className,
    storage,
  }));
  return [{ name: "0001-create-patterns", changes }];
}

/** Puts the fresh history and its lock in the place of what there is; where that is the same, it touches neither. */
export function beginHistory(draft: Draft, migrations: readonly Migration[]): void {
  const fresh = freshHistory(migrations);
  if (fresh === migrations) return;
  replaceHistory(draft, `one step instead of ${migrations.length}`, { before: migrations, after: fresh });
}
