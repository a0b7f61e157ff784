/**
 * The plan: (history, live classes, release) -> state, moves, `exports` map, findings. Pure: the same situation gives
 * the same plan, and nothing is sent before all of it was checked.
 */
import { type ExportEntry, exportsMap } from "./exports-map.ts";
import { type Finding, isError } from "./findings.ts";
import type { Migration } from "./history.ts";
import { type Move, moves, type Obstacle } from "./moves.ts";
import type { LiveClasses } from "./replay.ts";
import { hasArrived, isLost, releaseFindings } from "./rules.ts";
import type { Situation } from "./situation.ts";
import { type State, stateOf } from "./standing.ts";

export interface Plan {
  readonly state: State;
  /** Whether it takes over a Worker that something else deployed; then `from` is the step that matches its classes. */
  readonly adopts: boolean;
  /** The step that is live; undefined in a fresh or unmanaged environment. */
  readonly from: string | undefined;
  /** The last step of the history. */
  readonly to: string;
  /** What happens to each class, including those that stay as they are. */
  readonly moves: readonly Move[];
  /** Whether a namespace or its owner changes: then the version goes out at 100 %, and is the new rollback floor. */
  readonly changesLifecycle: boolean;
  readonly exports: Readonly<Record<string, ExportEntry>>;
  /** Reasons not to deploy. Empty: it may be sent. */
  readonly errors: readonly Finding[];
  readonly warnings: readonly Finding[];
}

/** Plans the deployment from the live classes to the end of the history. Never throws: mistakes are in `errors`. */
export function plan(situation: Situation): Plan {
  const { migrations, live } = situation;
  const { state, at, adopts, findings: stateFindings } = stateOf(migrations, live, situation.adopt);
  const deploys = state === "fresh" || state === "behind" || state === "in sync";
  const start = live.classes ?? new Map();
  const remaining = deploys ? forStack(migrations.slice(at), situation.stack) : [];
  const way = moves(start, remaining);
  const arrived = way.moves.map((move) => settle(move, situation));

  const findings = [...stateFindings];
  if (way.obstacles.length) {
    // Other findings would be about a deployment that is impossible, and would suggest wrong fixes.
    findings.push(...obstacleFindings(way.obstacles, start, remaining));
  } else if (deploys) {
    findings.push(...releaseFindings(arrived, situation));
  }
  const changesLifecycle = adopts || arrived.some((move, i) => move.kind !== "keep" || move !== way.moves[i]);
  if (deploys && changesLifecycle && situation.rollout < 100) {
    findings.push({
      code: "lifecycle_needs_full_rollout",
      subject: `rollout ${situation.rollout}`,
      message: `this release ${adopts ? "takes the Worker over" : "changes classes"}, and Cloudflare applies that only to all traffic at once.`,
      fix: "set rollout to 100 for this release. A later release that changes no class can be rolled out gradually.",
    });
  }
  return {
    state,
    adopts,
    from: live.step?.name ?? (adopts ? migrations[at - 1]?.name : undefined),
    to: migrations.at(-1)?.name ?? "",
    moves: arrived,
    changesLifecycle,
    exports: exportsMap(arrived),
    errors: findings.filter(isError),
    warnings: findings.filter((finding) => !isError(finding)),
  };
}

/** The steps with `{stack}` in the names of other Workers replaced by this stack's name. */
export function forStack(migrations: readonly Migration[], stack: string): readonly Migration[] {
  const named = (worker: string) => worker.replaceAll("{stack}", stack);
  return migrations.map(({ name, changes }) => ({
    name,
    changes: changes.map((change) => {
      if (change.op === "send") return { ...change, toWorker: named(change.toWorker) };
      return change.op === "receive" ? { ...change, fromWorker: named(change.fromWorker) } : change;
    }),
  }));
}

/**
 * A received class whose old Worker no longer has its objects is now like any other class: it stays, or is deleted. One
 * whose objects are nowhere begins without any, where the stack allows that.
 */
function settle(move: Move, situation: Situation): Move {
  const { className } = move;
  if (move.kind === "cancel") return hasArrived(move, situation) ? { kind: "delete", className } : move;
  if (move.kind !== "keep" || move.fromWorker === undefined) return move;
  const { storage } = move;
  if (isLost(move, situation)) {
    return situation.allowDestroy.includes(className) ? { kind: "create", className, storage } : move;
  }
  return hasArrived(move, situation) ? { kind: "keep", className, storage } : move;
}

function obstacleFindings(
  obstacles: readonly Obstacle[],
  start: LiveClasses,
  remaining: readonly Migration[],
): readonly Finding[] {
  if (obstacles.length === 0) return [];
  const steps = remaining.length - 1;
  const reachable = Array.from({ length: Math.max(steps, 0) }, (_, i) => steps - i).find(
    (count) => moves(start, remaining.slice(0, count)).obstacles.length === 0,
  );
  const stop = reachable === undefined ? undefined : remaining[reachable - 1]?.name;
  return obstacles.map(({ className, reason }) => ({
    code: "needs_intermediate_release",
    subject: className,
    message: `this environment cannot catch up in one release: ${reason}.`,
    fix: stop
      ? `promote a release whose history ends at ${stop} first, then this one.`
      : "split the step in two and release the first part before the second.",
  }));
}
