/**
 * The plan: (history, what is live, what the release brings) -> state, actions, `exports` map, findings. Pure: the
 * same situation gives the same plan, and nothing is sent before all of it has been checked.
 */
import { type Finding, isError } from "./findings.ts";
import type { Migration } from "./history.ts";
import { hashes } from "./lock.ts";
import { type Move, moves, type Obstacle, tombstoneOf } from "./moves.ts";
import { type LiveClasses, replay } from "./replay.ts";

/** What an environment serves now, as Cloudflare's API tells it. */
export interface Live {
  /** Classes that are live; undefined: nothing was ever deployed. */
  readonly classes: LiveClasses | undefined;
  /** Whether these are all that there are: a Worker that something else deployed may have some that cannot be read. */
  readonly complete: boolean;
  /** The step that the serving release recorded, and the hash of its history; undefined: no release of ours. */
  readonly step: { readonly name: string; readonly history: string } | undefined;
}

export interface Situation {
  readonly migrations: readonly Migration[];
  /** The stack's name: what `{stack}` in the name of another Worker stands for. */
  readonly stack: string;
  readonly live: Live;
  /** Classes that the release's bundle exports. */
  readonly code: readonly string[];
  /** Classes that the release's bindings name. */
  readonly bound: readonly string[];
  /** Bindings of other Workers to this Worker's classes. */
  readonly references: readonly { readonly className: string; readonly worker: string }[];
  /** Other Workers of the account that a transfer names, with their live classes. */
  readonly others: ReadonlyMap<string, ReadonlySet<string>>;
  /** Whether a Worker that something else deployed may be taken over, when its classes are those of a step. */
  readonly adopt: boolean;
  /** Classes that this stack may delete or send away. */
  readonly allowDestroy: readonly string[];
  /** Per cent of the traffic that the release is to get. */
  readonly rollout: number;
}

/** How an environment stands to the history. Only the first three deploy. */
export type State = "fresh" | "behind" | "in sync" | "ahead" | "diverged" | "unmanaged";

/** One entry of the `exports` map, in Pulumi's names (WorkerVersion.exports). */
export interface ExportEntry {
  readonly type: "durable-object";
  readonly state?: "deleted" | "renamed" | "transferred" | "expecting-transfer";
  readonly storage?: string;
  readonly renamedTo?: string;
  readonly transferredTo?: string;
  readonly transferFrom?: string;
}

export interface Plan {
  readonly state: State;
  /** Whether it takes over a Worker that something else deployed; `from` is then the step that fits its classes. */
  readonly adopts: boolean;
  /** The step that is live; undefined in a fresh or unmanaged environment. */
  readonly from: string | undefined;
  /** The last step of the history. */
  readonly to: string;
  /** What happens to each class, those that stay as they are among them. */
  readonly moves: readonly Move[];
  /** Whether Cloudflare changes any namespace, or their owner: such a version goes out at 100 %, and is a rollback floor. */
  readonly changesLifecycle: boolean;
  readonly exports: Readonly<Record<string, ExportEntry>>;
  /** What stops it. Empty: it may be sent. */
  readonly errors: readonly Finding[];
  readonly warnings: readonly Finding[];
}

/** Plans the way from what is live to the end of the history. Never throws: what is wrong is in `errors`. */
export function plan(situation: Situation): Plan {
  const { migrations, live } = situation;
  const { state, at, adopts, findings: stateFindings } = stateOf(migrations, live, situation.adopt);
  const deploys = state === "fresh" || state === "behind" || state === "in sync";
  const start = live.classes ?? new Map();
  const remaining = deploys ? forStack(migrations.slice(at), situation.stack) : [];
  const way = moves(start, remaining);
  const arrived = way.moves.map((move) => settle(move, situation.others));

  const findings = [...stateFindings];
  if (way.obstacles.length) {
    // What else is wrong is wrong with a way that cannot be gone: its fixes would mislead.
    findings.push(...obstacleFindings(way.obstacles, start, remaining));
  } else if (deploys) {
    findings.push(...arrived.flatMap((move) => moveFindings(move, situation)), ...bindingFindings(arrived, situation));
  }
  const changesLifecycle = adopts || arrived.some((move, i) => move.kind !== "keep" || move !== way.moves[i]);
  if (deploys && changesLifecycle && situation.rollout < 100) {
    findings.push({
      code: "lifecycle_needs_full_rollout",
      subject: `rollout ${situation.rollout}`,
      message: `this release ${adopts ? "takes the Worker over" : "changes classes"}, and Cloudflare applies that only to all traffic at once.`,
      fix: "set rollout to 100 for this release, and roll out gradually the next one that leaves the classes as they are.",
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

/** The steps with the names of other Workers as they are in this stack. */
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

/** How the environment stands to the history, and how many of its steps are done there. */
interface Standing {
  readonly state: State;
  readonly at: number;
  readonly adopts: boolean;
  readonly findings: readonly Finding[];
}

function stateOf(migrations: readonly Migration[], live: Live, adopt: boolean): Standing {
  const adopts = false;
  if (live.classes === undefined) return { state: "fresh", at: 0, adopts, findings: [] };
  if (live.step === undefined) return adopt ? adoption(migrations, live, live.classes) : unmanaged(live.classes);
  const finished: readonly Finding[] = adopt
    ? [
        {
          code: "adopt_finished",
          subject: "adopt",
          message: "this stack has taken its Worker over already.",
          fix: "take adopt out of its config, so that it never takes over what it did not mean to.",
        },
      ]
    : [];
  const { name, history } = live.step;
  const index = migrations.findIndex((migration) => migration.name === name);
  if (index < 0) {
    const last = migrations.at(-1)?.name ?? "";
    const ahead = name > last;
    return {
      state: ahead ? "ahead" : "diverged",
      at: 0,
      adopts,
      findings: [
        ahead
          ? {
              code: "state_ahead",
              subject: name,
              message: `a newer release is live at this step, and this release's history ends at ${last}.`,
              fix: "deploy a release built from a commit that has this step, or append a step that undoes it.",
            }
          : {
              code: "state_diverged",
              subject: name,
              message: "the live release recorded this step, but the history does not have it.",
              fix: "restore the step in infra/migrations.ts as the live release's commit has it.",
            },
      ],
    };
  }
  const done = index + 1;
  if (hashes(migrations)[index] !== history) {
    return {
      state: "diverged",
      at: done,
      adopts,
      findings: [
        {
          code: "state_diverged",
          subject: name,
          message:
            "the live release recorded this step with another past than the history has now: a released step was edited.",
          fix: "restore the steps up to this one as the live release's commit has them, and append a new step instead.",
        },
      ],
    };
  }
  const differences = compare(replay(migrations, done), live.classes, name);
  if (differences.length) return { state: "diverged", at: done, adopts, findings: differences };
  return { state: done === migrations.length ? "in sync" : "behind", at: done, adopts, findings: finished };
}

/** What was deployed by something else and is not to be taken over. */
function unmanaged(classes: LiveClasses): Standing {
  return {
    state: "unmanaged",
    at: 0,
    adopts: false,
    findings: [
      {
        code: "state_unmanaged",
        subject: "live Worker",
        message: `it was deployed by something else (classes: ${shown(classes)}), and records no step of this history.`,
        fix: "choose another workerName in this stack's config, or take it over with its objects (docs/adopt.md).",
      },
    ],
  };
}

/**
 * A Worker of something else stands at the last step whose classes are exactly the live ones: of several that fit, the
 * last asks for the least. One that fits no step is not taken over.
 */
function adoption(migrations: readonly Migration[], { complete }: Live, classes: LiveClasses): Standing {
  const refused = (...findings: Finding[]): Standing => ({ state: "unmanaged", at: 0, adopts: false, findings });
  if (!complete) {
    return refused({
      code: "adopt_unreadable",
      subject: "live Worker",
      message: "its Durable Object namespaces cannot be read, so nobody can tell whether the history fits them.",
      fix: "export CLOUDFLARE_API_TOKEN with a token that may read Workers Scripts.",
    });
  }
  const steps = migrations.map((_, i) => migrations.length - i);
  const at = steps.find((done) => compare(replay(migrations, done), classes, "").length === 0);
  if (at !== undefined)
    return { state: at === migrations.length ? "in sync" : "behind", at, adopts: true, findings: [] };
  return refused({
    code: "adopt_unmatched",
    subject: "live Worker",
    message: `its classes (${shown(classes)}) are those of no step of the history, which ends with ${shown(replay(migrations))}.`,
    fix: "begin infra/migrations.ts with the history that `npm run migrations -- import --worker <name>` prints.",
  });
}

const shown = (classes: LiveClasses): string =>
  [...classes]
    .map(([name, { storage }]) => (storage === "sqlite" ? name : `${name} (${storage})`))
    .sort()
    .join(", ") || "none";

/** What differs between the classes that the history expects and those that are live. */
function compare(expected: LiveClasses, live: LiveClasses, step: string): readonly Finding[] {
  const findings: Finding[] = [];
  for (const [name, { storage }] of live) {
    const wanted = expected.get(name);
    if (!wanted) {
      findings.push({
        code: "orphaned_provisioned_namespace",
        subject: name,
        message: `the class is live, but after step ${step} the history does not have it: something else created it.`,
        fix: "find what made it (`wrangler deployments list`), and deploy there without it.",
      });
    } else if (wanted.storage !== storage) {
      findings.push({
        code: "storage_type_mismatch",
        subject: name,
        message: `its namespace has ${storage} storage, but the history says ${wanted.storage}, and storage never changes in place.`,
        fix: `say ${storage} in the step that creates it.`,
      });
    }
  }
  for (const name of expected.keys()) {
    if (live.has(name)) continue;
    findings.push({
      code: "state_diverged",
      subject: name,
      message: `after step ${step} the class should be live, but it is not: something else renamed, deleted or moved it.`,
      fix: "find what did (`wrangler deployments list`), and append a step that says what happened.",
    });
  }
  return findings;
}

/** A class whose objects have arrived since (their old Worker does not have them any more) is an ordinary one now. */
function settle(move: Move, others: Situation["others"]): Move {
  if (move.kind !== "keep" || move.fromWorker === undefined) return move;
  const waiting = others.get(move.fromWorker)?.has(move.className) ?? false;
  return waiting ? move : { kind: "keep", className: move.className, storage: move.storage };
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

/** What stands against one move: the code, the stack's permission, other Workers. */
function moveFindings(move: Move, { code, references, others, allowDestroy }: Situation): readonly Finding[] {
  const { className } = move;
  const findings: Finding[] = [];
  const add = (finding: Omit<Finding, "subject">, subject = className) => findings.push({ subject, ...finding });

  if (move.kind === "delete" || move.kind === "send") {
    if (!allowDestroy.includes(className)) {
      const what =
        move.kind === "delete"
          ? "deletes the class and all its objects"
          : `hands the class and all its objects to ${move.toWorker}`;
      add({
        code: "destroy_not_allowed",
        message: `this release ${what}, and this stack does not allow it.`,
        fix: `when that is meant, set allowDestroy: [${className}] in this stack's config.`,
      });
    }
  } else if (!code.includes(className)) {
    add(
      move.kind === "keep"
        ? {
            code: "config_export_not_in_code",
            message: "it has live objects, but the release's bundle does not export it.",
            fix: "export it from worker/index.ts, or append a step that removes or renames it.",
          }
        : {
            code: "config_references_nonexistent_class",
            message: `the history wants to ${move.kind} it, but the release's bundle does not export it.`,
            fix: "export it from worker/index.ts and build again.",
          },
    );
  }

  const gone = tombstoneOf(move);
  const binders = references.filter((reference) => reference.className === gone).map(({ worker }) => worker);
  if (move.kind === "delete") {
    if (code.includes(className)) {
      add({
        code: "tombstone_delete_class_still_in_code",
        message: "the history deletes it, but the release's bundle still exports it.",
        fix: "take the class out of worker/index.ts and build again.",
      });
    }
    if (binders.length) {
      add({
        code: "tombstone_delete_blocked_by_external_bindings",
        message: `other Workers bind to it: ${binders.join(", ")}.`,
        fix: "deploy those Workers without the binding first.",
      });
    }
  } else if (gone !== undefined && binders.length) {
    add(
      {
        code: "class_bound_elsewhere",
        message: `other Workers bind to it by this name: ${binders.join(", ")}.`,
        fix: "deploy those Workers with the new binding right after this release.",
      },
      gone,
    );
  }

  if (move.kind === "send" && !others.has(move.toWorker)) {
    add({
      code: "transferred_target_missing",
      message: `it is to go to the Worker ${move.toWorker}, which does not exist in this account.`,
      fix: `deploy ${move.toWorker} with a step that receives the class first.`,
    });
  }
  if (move.kind === "receive") {
    const source = others.get(move.fromWorker);
    if (!source) {
      add({
        code: "phase_one_transfer_source_missing",
        message: `its objects are to come from the Worker ${move.fromWorker}, which does not exist in this account.`,
        fix: `deploy ${move.fromWorker} first, or correct its name in the step.`,
      });
    } else if (!source.has(className)) {
      add({
        code: "phase_one_transfer_source_namespace_missing",
        message: `its objects are to come from the Worker ${move.fromWorker}, which has no such class.`,
        fix: `name a class that ${move.fromWorker} has.`,
      });
    }
  }
  if (move.kind === "keep" && move.fromWorker !== undefined) {
    add({
      code: "transfer_pending",
      message: `its objects are still with the Worker ${move.fromWorker}.`,
      fix: `deploy ${move.fromWorker} with a step that sends the class here.`,
    });
  }
  return findings;
}

/** What stands against the release's bindings and exports, given what is alive once it is live. */
function bindingFindings(arrived: readonly Move[], { bound, code }: Situation): readonly Finding[] {
  const alive = new Map(
    arrived.filter((move) => move.kind !== "delete" && move.kind !== "send").map((move) => [move.className, move]),
  );
  const gone = new Set(arrived.map(tombstoneOf));
  const findings: Finding[] = [];
  for (const className of bound) {
    const move = alive.get(className);
    if (!move) {
      findings.push({
        code: "binding_without_class",
        subject: className,
        message: "wrangler.jsonc binds to it, but the history does not have it at its end.",
        fix: "append a step to infra/migrations.ts that creates it, or take the binding away.",
      });
    } else if ((move.kind === "receive" || move.kind === "keep") && move.fromWorker !== undefined) {
      findings.push({
        code: "binding_before_transfer",
        subject: className,
        message: `wrangler.jsonc binds to it, but its objects are still with the Worker ${move.fromWorker}.`,
        fix: `release without the binding, then let ${move.fromWorker} send the class, then add the binding.`,
      });
    }
  }
  for (const className of code) {
    if (alive.has(className) || gone.has(className)) continue;
    findings.push({
      code: "class_not_in_history",
      subject: className,
      message: "the release's bundle exports it, but the history does not have it: Cloudflare will ignore it.",
      fix: "append a step to infra/migrations.ts that creates it, when it is a Durable Object class.",
    });
  }
  return findings;
}

/** The smallest `exports` map that does the moves: an entry for each class that lives, a tombstone for each that goes. */
function exportsMap(arrived: readonly Move[]): Readonly<Record<string, ExportEntry>> {
  const entries: Record<string, ExportEntry> = {};
  for (const move of arrived) {
    switch (move.kind) {
      case "delete":
        entries[move.className] = { type: "durable-object", state: "deleted" };
        continue;
      case "send":
        entries[move.className] = { type: "durable-object", state: "transferred", transferredTo: move.toWorker };
        continue;
      case "rename":
        entries[move.from] = { type: "durable-object", state: "renamed", renamedTo: move.className };
    }
    const transferFrom = move.kind === "receive" || move.kind === "keep" ? move.fromWorker : undefined;
    entries[move.className] =
      transferFrom === undefined
        ? { type: "durable-object", storage: move.storage }
        : { type: "durable-object", state: "expecting-transfer", storage: move.storage, transferFrom };
  }
  return entries;
}
