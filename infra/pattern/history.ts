/** What becomes of a pattern's class in the history: a step more, or no trace where nothing was ever released. */
import { type Migration, namesIn, stepsSource } from "@durable-stack/class-lifecycle";
import { UserError } from "../common/user-error.ts";
import { HISTORY_FILE } from "../release/root.ts";
import { type Chain, chainOf } from "./chain.ts";

/** `0007-create-jobs`, behind the last step. */
export function nextStepName(migrations: readonly Migration[], words: string): string {
  const last = Number.parseInt(migrations.at(-1)?.name ?? "0", 10);
  return `${String((Number.isNaN(last) ? migrations.length : last) + 1).padStart(4, "0")}-${words}`;
}

/**
 * The text of infra/migrations.ts, whose history is `migrations`, with a step more; all else stays as it is written.
 * @throws UserError where the steps do not stand there one behind the other.
 */
export function withStep(text: string, migrations: readonly Migration[], step: Migration): string {
  const { end, links } = chainIn(text);
  const written = links.map(({ method, text: name }) => (method === "step" ? name : undefined));
  const names = migrations.map(({ name }) => name);
  if (written.length !== names.length || written.some((name, i) => name !== names[i])) {
    throw new UserError(
      `Nothing was changed: the steps of the history are not all written in ${HISTORY_FILE}, one .step("<name>", …) behind the other. Write the new one by hand: docs/change-a-class.md.`,
    );
  }
  return `${text.slice(0, end)}${stepsSource([step])}${text.slice(end)}`;
}

/**
 * The text of infra/migrations.ts with other steps; what is above the first one, and behind the last, stays.
 * @throws UserError where it has none.
 */
export function withHistory(text: string, migrations: readonly Migration[]): string {
  const { head, end } = chainIn(text);
  return `${text.slice(0, head)}${stepsSource(migrations)}${text.slice(end)}`;
}

function chainIn(text: string): Chain {
  const chain = chainOf(text, "migrations", "history");
  if (chain) return chain;
  throw new UserError(
    `Nothing was changed: ${HISTORY_FILE} has no \`export const { migrations } = history()…\` to write steps into. Write them by hand: docs/change-a-class.md.`,
  );
}

/**
 * The history as if the class had never been. Undefined where that cannot be told: it was renamed, came from another
 * Worker, or was removed already.
 */
export function historyWithoutClass(
  migrations: readonly Migration[],
  className: string,
): readonly Migration[] | undefined {
  const changes = migrations.flatMap((step) => step.changes).filter((change) => namesIn(change).includes(className));
  if (changes.length !== 1 || changes[0]?.op !== "create") return undefined;
  return migrations
    .map(({ name, changes: all }) => ({ name, changes: all.filter((change) => change !== changes[0]) }))
    .filter((step) => step.changes.length > 0);
}
