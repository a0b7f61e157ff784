/** The history and its lock file, which change together, as the commands change them. Pure. */
import { checkLock, describe, formatLock, LOCK_FILE, type Migration } from "@durable-stack/class-lifecycle";
import { UserError } from "../common/user-error.ts";
import type { Draft } from "../init/draft.ts";
import { HISTORY_FILE } from "../release/root.ts";
import { withHistory, withStep } from "./history.ts";

/** Writes a step behind the last one, and its lock; the history then. @throws UserError where the files do not fit it. */
export function addStep(draft: Draft, before: readonly Migration[], step: Migration): readonly Migration[] {
  const after = [...before, step];
  draft.edit(HISTORY_FILE, `a step ${step.name}`, (text) => withStep(text, before, step));
  relock(draft, "with the step", before, after);
  return after;
}

/** Writes another history in the place of what there is; `what` says it. @throws UserError where the files do not fit it. */
export function replaceHistory(
  draft: Draft,
  what: string,
  { before, after }: { readonly before: readonly Migration[]; readonly after: readonly Migration[] },
): void {
  draft.edit(HISTORY_FILE, what, (text) => withHistory(text, after));
  relock(draft, "as the history is", before, after);
}

/**
 * Only where the lock file fits the history as it is (`before`), but for steps that it lacks: it alone tells an edited
 * step from one that was released, and would say nothing of it afterwards.
 */
function relock(draft: Draft, what: string, before: readonly Migration[], after: readonly Migration[]): void {
  const lock = draft.read(LOCK_FILE) ?? null;
  const findings = checkLock(before, lock).filter(({ code }) => code !== "lock_behind");
  if (findings.length > 0) {
    throw new UserError(
      `Nothing was changed: ${LOCK_FILE} does not fit the history, and this command would hide that.\n${findings.map(describe).join("\n")}`,
    );
  }
  draft.edit(LOCK_FILE, what, () => formatLock(after));
}
