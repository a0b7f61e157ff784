/** What was there before and after, class by class, and whether the plan named what is missing: pure. */
import { createHash } from "node:crypto";
import type { Migration } from "../../infra/lifecycle/history.ts";
import { type Move, moves } from "../../infra/lifecycle/moves.ts";
import { forStack } from "../../infra/lifecycle/plan.ts";
import { replay } from "../../infra/lifecycle/replay.ts";
import { canonical } from "./patterns/pattern.ts";

/** What an object holds, as it answered; or why it did not answer. */
export type Content = { readonly data: unknown } | { readonly fault: string };

/** What the plan does to a class. */
export type Fate =
  | { readonly kind: "kept" }
  | { readonly kind: "renamed"; readonly to: string }
  | { readonly kind: "deleted" }
  | { readonly kind: "sent"; readonly toWorker: string };

export interface ClassOutcome {
  /** Its name in the older release. */
  readonly className: string;
  readonly fate: Fate;
  readonly objects: number;
  /** Objects that answer as they did before. */
  readonly kept: number;
  /** sha256 of what all of them answer, in the order of their ids; undefined where none answers. */
  readonly before: string | undefined;
  readonly after: string | undefined;
  /** Every object that does not answer as before. */
  readonly lost: readonly { readonly id: string; readonly reason: string }[];
  /** Whether nothing is lost, or all that is was named by the plan. */
  readonly ok: boolean;
}

/** What the steps of `to` after `step` do to the classes that are alive at it; nothing where it does not have the step. */
export function plannedMoves(to: readonly Migration[], step: string, stack: string): readonly Move[] {
  const done = to.findIndex(({ name }) => name === step) + 1;
  const history = forStack(to, stack);
  return done === 0 ? [] : moves(replay(history, done), history.slice(done)).moves;
}

/** The classes that these moves delete or hand to another Worker, by their name before. */
export const destroyed = (planned: readonly Move[]): readonly string[] =>
  planned.filter(({ kind }) => kind === "delete" || kind === "send").map(({ className }) => className);

export function fateOf(className: string, planned: readonly Move[]): Fate {
  for (const move of planned) {
    if (move.kind === "rename" && move.from === className) return { kind: "renamed", to: move.className };
    if (move.kind === "delete" && move.className === className) return { kind: "deleted" };
    if (move.kind === "send" && move.className === className) return { kind: "sent", toWorker: move.toWorker };
  }
  return { kind: "kept" };
}

/** Compares what the objects of one class held with what they hold now, by id. */
export function compare(
  className: string,
  fate: Fate,
  before: ReadonlyMap<string, Content>,
  after: ReadonlyMap<string, Content>,
): ClassOutcome {
  const lost = [...before].flatMap(([id, was]) => {
    const reason = lossOf(was, after.get(id) ?? { fault: "was not asked" });
    return reason === undefined ? [] : [{ id, reason }];
  });
  return {
    className,
    fate,
    objects: before.size,
    kept: before.size - lost.length,
    before: hash(before),
    after: hash(after),
    lost,
    ok: lost.length === 0 || fate.kind === "deleted" || fate.kind === "sent",
  };
}

function lossOf(was: Content, is: Content): string | undefined {
  if ("fault" in was) return `could not be read before: ${was.fault}`;
  if ("fault" in is) return is.fault;
  const [held, holds] = [canonical(was.data), canonical(is.data)];
  return held === holds ? undefined : `held ${held}, and now ${holds}`;
}

/** Undefined where no object answers. */
function hash(contents: ReadonlyMap<string, Content>): string | undefined {
  const answers = [...contents].flatMap(([id, content]) => ("data" in content ? [[id, content.data]] : []));
  return answers.length === 0 ? undefined : createHash("sha256").update(canonical(answers)).digest("hex");
}
