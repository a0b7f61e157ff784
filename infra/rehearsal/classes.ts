/** What was there before and after, class by class, and whether the plan named what is missing: pure. */
import type { Migration } from "@durable-stack/class-lifecycle";
import { forStack, leaves, type Move, moves, replay } from "@durable-stack/class-lifecycle";
import { canonical } from "../release/canonical.ts";
import { digestOf } from "../release/manifest.ts";

/** What an object holds, as it answered; or why it did not answer. */
export type Content = { readonly data: unknown } | { readonly fault: string };

/** An object as it was before and is after. */
interface Compared {
  readonly id: string;
  readonly before: Content;
  readonly after: Content;
  /** Whether the stack's config gives up the region that it is in (`allowRegionLoss`), which the plan then names. */
  readonly givenUp: boolean;
}

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
  readonly lost: readonly { readonly id: string; readonly reason: string; readonly givenUp: boolean }[];
  /** Whether nothing is lost, or all that is was named by the plan. */
  readonly ok: boolean;
}

/**
 * What the steps of `to` after `step` do to the classes that are alive at it; nothing where it does not have the step.
 * Those that it received before have come.
 */
export function plannedMoves(to: readonly Migration[], step: string, stack: string): readonly Move[] {
  const done = to.findIndex(({ name }) => name === step) + 1;
  const history = forStack(to, stack);
  const start = new Map([...replay(history, done)].map(([name, { storage }]) => [name, { storage }]));
  return done === 0 ? [] : moves(start, history.slice(done)).moves;
}

/** The classes that these moves delete or hand to another Worker, by their name before. */
export const destroyed = (planned: readonly Move[]): readonly string[] =>
  planned.filter(leaves).map(({ className }) => className);

export function fateOf(className: string, planned: readonly Move[]): Fate {
  for (const move of planned) {
    if (move.kind === "rename" && move.from === className) return { kind: "renamed", to: move.className };
    if (move.kind === "delete" && move.className === className) return { kind: "deleted" };
    if (move.kind === "send" && move.className === className) return { kind: "sent", toWorker: move.toWorker };
  }
  return { kind: "kept" };
}

/** Compares what the objects of one class held with what they hold now. */
export function compare(className: string, fate: Fate, objects: readonly Compared[]): ClassOutcome {
  const lost = objects.flatMap(({ id, before, after, givenUp }) => {
    const reason = lossOf(before, after);
    return reason === undefined ? [] : [{ id, reason, givenUp }];
  });
  return {
    className,
    fate,
    objects: objects.length,
    kept: objects.length - lost.length,
    before: hash(objects, ({ before }) => before),
    after: hash(objects, ({ after }) => after),
    lost,
    ok: fate.kind === "deleted" || fate.kind === "sent" || lost.every(({ givenUp }) => givenUp),
  };
}

/** Why an object has not kept what it held, in words; undefined: it has. */
export function lossOf(was: Content, is: Content): string | undefined {
  if ("fault" in was) return `could not be read before: ${was.fault}`;
  if ("fault" in is) return is.fault;
  const [held, holds] = [canonical(was.data), canonical(is.data)];
  return held === holds ? undefined : `held ${held}, and now ${holds}`;
}

/** Undefined where no object answers. */
function hash(objects: readonly Compared[], side: (object: Compared) => Content): string | undefined {
  const answers = objects.flatMap((object) => {
    const content = side(object);
    return "data" in content ? [[object.id, content.data]] : [];
  });
  return answers.length === 0 ? undefined : digestOf(canonical(answers));
}
