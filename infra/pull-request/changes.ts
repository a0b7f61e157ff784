/** What differs between the release of a pull request and that of its base: pure. */
import { hashes, type Migration, moves, replay } from "@durable-stack/class-lifecycle";
import type { Schemas } from "../../contract/release.ts";
import type { Costs } from "../cost/operation.ts";
import { changeLine } from "../plan/report.ts";
import type { Facts } from "./found.ts";

type ClassChanges = Pick<Facts, "steps" | "classes">;

/** What the steps that are new do to the classes that are alive at the end of the base's history. */
export function classChanges(before: readonly Migration[], after: readonly Migration[]): ClassChanges {
  const [was, is] = [hashes(before), hashes(after)];
  const at = was.findIndex((hash, i) => hash !== is[i]);
  if (at >= 0) {
    return {
      steps: [],
      classes: [
        `! step ${before[at]?.name} of the base is not in this history as it was: every environment that has it refuses the release (state_diverged)`,
      ],
    };
  }
  const added = after.slice(before.length);
  const way = moves(replay(before), added);
  return {
    steps: added.map(({ name }) => name),
    classes: [
      ...way.moves.flatMap((move) => changeLine(move)?.[1] ?? []),
      ...way.obstacles.map(
        ({ className, reason }) =>
          `! ${className}: ${reason}, so an environment that stands where the base ends needs two releases`,
      ),
    ],
  };
}

/** A release's schemas, and its history. */
interface WithTables {
  readonly migrations: readonly Migration[];
  readonly schemas: Schemas | undefined;
}

/** What the objects of a class meet when the release wakes them. A class that is new has no objects yet. */
export function tableChanges(before: WithTables, after: WithTables): readonly string[] {
  const way = moves(replay(before.migrations), after.migrations.slice(before.migrations.length));
  const names = new Map(way.moves.flatMap((move) => (move.kind === "rename" ? [[move.className, move.from]] : [])));
  return Object.entries(after.schemas ?? {}).flatMap(([className, { steps, needs }]) => {
    const was = before.schemas?.[names.get(className) ?? className]?.steps;
    if (was === undefined) return [];
    const at = was.findIndex((hash, i) => hash !== steps[i]);
    if (at >= 0) return [`! ${className}: step ${at + 1} of its tables is not the one that the base has`];
    const added = steps.length - was.length;
    if (added === 0) return [];
    const back =
      needs > was.length && was.length > 0 ? "; older code cannot live with it: no way back behind this release" : "";
    return [`+ ${className}: ${added} step${added === 1 ? "" : "s"} more of its tables${back}`];
  });
}

/** Rows per operation where they differ, and the rate limiter's for each request (`check`). */
export function rowChanges(before: Costs, after: Costs): Facts["rows"] {
  const [was, is] = [rowsOf(before), rowsOf(after)];
  return [...new Set([...is.keys(), ...was.keys()])].flatMap((operation) => {
    const [one, other] = [was.get(operation) ?? null, is.get(operation) ?? null];
    return one === other ? [] : [{ operation, before: one, after: other }];
  });
}

/** By option; `check` is what every request costs. */
export const rowsOf = ({ operations, check }: Costs): ReadonlyMap<string, number> =>
  new Map([
    ...operations.map(({ option, ours }) => [option, ours] as const),
    ...(check ? ([["check", check.ours]] as const) : []),
  ]);
