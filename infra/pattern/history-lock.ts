/** The history's lock file, as the commands write it that change the history. Pure. */
import { checkLock, describe, formatLock, LOCK_FILE, type Migration } from "@durable-stack/class-lifecycle";
import { UserError } from "../common/user-error.ts";
import type { Draft } from "../init/draft.ts";

/**
 * Writes the lock of the history as it will be. Only where the lock file fits the history as it is (`before`), but for
 * steps that it lacks: it alone tells an edited step from one that was released, and would say nothing of it afterwards.
 * @throws UserError where it does not fit.
 */
export function relock(
  draft: Draft,
  what: string,
  { before, after }: { readonly before: readonly Migration[]; readonly after: readonly Migration[] },
): void {
  const lock = draft.read(LOCK_FILE) ?? null;
  const findings = checkLock(before, lock).filter(({ code }) => code !== "lock_behind");
  if (findings.length > 0) {
    throw new UserError(
      `Nothing was changed: ${LOCK_FILE} does not fit the history, and this command would hide that.\n${findings.map(describe).join("\n")}`,
    );
  }
  draft.edit(LOCK_FILE, what, () => formatLock(after));
}
