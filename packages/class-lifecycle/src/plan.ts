/**
 * The plan: (history, live classes, release) -> state, moves, `exports` map, findings. Pure: the same situation gives
 * the same plan, and nothing is sent before all of it was checked.
 */
import { allowanceFindings } from "./allowances.ts";
import { arrivalOf, type StartClass, settled } from "./arrival.ts";
import { type ExportEntry, exportsMap } from "./exports-map.ts";
import { type Finding, isError } from "./findings.ts";
import type { Migration } from "./history.ts";
import { type Move, moves, type Obstacle } from "./moves.ts";
import type { LiveClasses } from "./replay.ts";
import { releaseFindings, transferLost } from "./rules.ts";
import { withSendersStorage } from "./senders-storage.ts";
import type { Situation } from "./situation.ts";
import { type State, standingOf } from "./standing.ts";

export interface Plan {
  readonly state: State;
  /** Whether it takes over a Worker that something else deployed; then `from` is the step that matches its classes. */
  readonly adopts: boolean;
  /** The step that is live, as far as the classes tell; undefined in a fresh or unmanaged environment. */
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
  const { state, at, movedOn = false, adopts, findings: stateFindings } = standingOf(migrations, live, situation.adopt);
  const deploys = state === "fresh" || state === "behind" || state === "in sync";
  const before: LiveClasses = live.classes ?? new Map();
  const start = deploys ? settled(before, situation) : before;
  const remaining = deploys ? forStack(migrations.slice(at), situation.stack) : [];
  const { moves: followed, obstacles } = moves(start, remaining);
  const planned = followed.map((move) => withSendersStorage(move, situation.others));

  const findings = [...stateFindings];
  if (obstacles.length) {
    // Other findings would be about a deployment that is impossible, and would suggest wrong fixes.
    findings.push(...obstacleFindings(obstacles, { start, remaining, at, situation }));
  } else if (deploys) {
    findings.push(...releaseFindings(planned, situation), ...allowanceFindings(planned, situation));
  }
  const movesClasses = planned.some(({ kind }) => kind !== "keep");
  // Versions that share the traffic must agree on what they wait for. A version that is made now no longer says that it
  // waits for a class that has come. The deployed version, where it stays, goes on saying so.
  const endsAWait =
    !situation.isDeployed && [...before].some(([name, { fromWorker }]) => start.get(name)?.fromWorker !== fromWorker);
  // Versions from before a takeover, or from before something else changed the classes, cannot serve again either.
  const changesLifecycle = movesClasses || endsAWait || adopts || movedOn;
  if (deploys && changesLifecycle && situation.rollout < 100) {
    findings.push({
      code: "lifecycle_needs_full_rollout",
      subject: `rollout ${situation.rollout}`,
      message: `this release ${adopts ? "takes the Worker over" : movedOn ? "takes over what something else did to the classes" : "changes classes"}, and Cloudflare applies that only to all traffic at once.`,
      fix: "set rollout to 100 for this release. A later release that changes no class can be rolled out gradually.",
    });
  }
  return {
    state,
    adopts,
    from: adopts || movedOn ? migrations[at - 1]?.name : live.step?.name,
    to: migrations.at(-1)?.name ?? "",
    moves: planned,
    changesLifecycle,
    exports: exportsMap(planned),
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

interface Way {
  readonly start: ReadonlyMap<string, StartClass>;
  readonly remaining: readonly Migration[];
  /** How many steps are done. */
  readonly at: number;
  readonly situation: Situation;
}

function obstacleFindings(obstacles: readonly Obstacle[], way: Way): readonly Finding[] {
  const stop = lastReachable(way);
  return obstacles.map(({ className, reason, awaits }) => {
    if (awaits && arrivalOf(awaits.className, awaits.fromWorker, way.situation) === "lost") return transferLost(awaits);
    const promote =
      stop &&
      `promote a release whose history ends at ${stop} first, then this one: docs/runbooks.md#a-stack-that-missed-a-release.`;
    return {
      code: "needs_intermediate_release",
      subject: className,
      message: `this environment cannot catch up in one release: ${reason}.`,
      fix: awaits
        ? `deploy ${awaits.fromWorker} with a step that sends ${awaits.className} here first, then this release.`
        : (promote ?? "split the step in two and release the first part before the second."),
    };
  });
}

/** The last step that one release can reach, and that brings the environment on. */
function lastReachable({ start, remaining, at, situation }: Way): string | undefined {
  const count = Array.from({ length: remaining.length }, (_, i) => remaining.length - 1 - i).find((steps) => {
    const part = moves(start, remaining.slice(0, steps));
    // What waits for another Worker is told by itself.
    return (
      part.obstacles.every(({ awaits }) => awaits) && (steps > 0 || part.moves.some(({ kind }) => kind !== "keep"))
    );
  });
  return count === undefined ? undefined : situation.migrations[at + count - 1]?.name;
}
