/** Writes into the draft what a deployment changes in a Worker's classes. */
import { ownClasses } from "./bindings.ts";
import { ApiError } from "./errors.ts";
import { newTag } from "./ids.ts";
import { type LegacySituation, migrate } from "./legacy-migrations.ts";
import { type Action, liveExports, type Reconciliation, reconcile } from "./lifecycle.ts";
import type { ReconciliationReport, State, Version, Worker } from "./model.ts";
import type { Plan } from "./options.ts";
import { boundBy, namespacesOf, workerNamed, workerOf } from "./queries.ts";
import type { Draft } from "./store.ts";

/** Applies the version's `exports` if the Worker uses them, else its legacy migrations. */
export function applyLifecycle(draft: Draft, worker: Worker, version: Version, plan: Plan): void {
  const provisioned = namespacesOf(draft.state, worker.id).length;
  if (version.exports !== null || worker.usesExports) {
    const reconciliation = reconciliationOf(draft.state, worker, version, plan);
    refuseErrors(worker, reconciliation);
    for (const action of reconciliation.actions) apply(draft, worker, action);
    finish(draft, worker, version, {
      changed: reconciliation.changesClasses,
      usesExports: true,
      report: reconciliation.report,
      migrationTag: worker.migrationTag,
    });
    return;
  }
  if (provisioned === 0 && version.migrations === null) return;
  const migrations = version.deployedOn === null ? version.migrations : null;
  const outcome = migrate(migrations, legacySituation(draft.state, worker, version, plan));
  for (const namespace of outcome.put) draft.put("namespaces", namespace);
  for (const id of outcome.deletedIds) draft.delete("namespaces", id);
  finish(draft, worker, version, {
    changed: outcome.changesClasses,
    usesExports: false,
    report: null,
    migrationTag: migrations?.newTag ?? worker.migrationTag,
  });
}

const legacySituation = (state: State, worker: Worker, version: Version, plan: Plan): LegacySituation => ({
  workerId: worker.id,
  currentTag: worker.migrationTag,
  namespaces: namespacesOf(state, worker.id),
  classes: new Set(Object.keys(version.code.named)),
  boundClasses: ownClasses(worker, version.bindings),
  boundBy: ({ className, id }) => boundBy(state, worker, className, id),
  namespacesOf: (name) => namespacesOfNamed(state, name),
  plan,
});

interface Applied {
  readonly changed: boolean;
  readonly usesExports: boolean;
  readonly report: ReconciliationReport | null;
  readonly migrationTag: string | null;
}

function finish(draft: Draft, worker: Worker, version: Version, applied: Applied): void {
  const { changed, usesExports, report, migrationTag } = applied;
  draft.put("workers", {
    ...workerOf(draft.state, worker.id),
    usesExports,
    migrationTag,
    lifecycleFloor: changed ? version.number : worker.lifecycleFloor,
  });
  draft.put("versions", { ...version, report, migrationTag });
}

function reconciliationOf(state: State, worker: Worker, version: Version, plan: Plan): Reconciliation {
  const classes = Object.entries(version.code.named);
  return reconcile({
    worker: worker.name,
    declared: version.exports ?? {},
    code: {
      classes: new Set(classes.map(([name]) => name)),
      durableObjects: new Set(classes.filter(([, kind]) => kind === "durable-object").map(([name]) => name)),
    },
    namespaces: namespacesOf(state, worker.id),
    transfers: [...state.transfers.values()].map((transfer) => ({
      ...transfer,
      target: workerOf(state, transfer.workerId).name,
    })),
    namespacesOf: (name) => namespacesOfNamed(state, name),
    boundBy: (className, namespaceId) => boundBy(state, worker, className, namespaceId),
    plan,
  });
}

function refuseErrors(worker: Worker, { errors }: Reconciliation): void {
  if (errors.length === 0) return;
  throw new ApiError(
    400,
    100402,
    `Durable Object exports reconciliation failed for '${worker.name}': ${errors
      .map(({ class: className, scenario, message }) => `[${scenario}] ${className}: ${message}`)
      .join(" ")}`,
    errors,
  );
}

/** Refuses (100405, 10211) a split between versions that change classes, or (10064) of which one lacks a class. */
export function refuseLifecycleInSplit(state: State, worker: Worker, versions: readonly Version[], plan: Plan): void {
  const inconsistent = (detail: string) =>
    new ApiError(400, 100405, `The versions of a split deployment must agree on \`exports\`: ${detail}`);
  for (const version of versions) {
    if (version.exports !== null || worker.usesExports) {
      const reconciliation = reconciliationOf(state, worker, version, plan);
      if (reconciliation.errors.length > 0 || reconciliation.actions.length > 0)
        throw inconsistent(
          `version ${version.id} changes the classes of '${worker.name}'. Deploy it at 100 % first, then split.`,
        );
    } else if (version.migrations !== null && version.deployedOn === null) {
      throw new ApiError(
        400,
        10211,
        `Version ${version.id} has a Durable Object migration, which must be applied by a deployment at 100 % first.`,
      );
    } else {
      migrate(null, legacySituation(state, worker, version, plan));
    }
  }
  const live = (version: Version | undefined) =>
    JSON.stringify(Object.entries(liveExports(version?.exports ?? {})).sort(([a], [b]) => (a < b ? -1 : 1)));
  if (live(versions[0]) !== live(versions[1]))
    throw inconsistent(`versions ${versions.map(({ id }) => id).join(" and ")} declare different classes.`);
}

function apply(draft: Draft, worker: Worker, action: Action): void {
  switch (action.do) {
    case "create":
      draft.put("namespaces", {
        id: newTag(),
        workerId: worker.id,
        className: action.className,
        storage: action.storage,
        transferredFrom: null,
      });
      return;
    case "delete":
      draft.delete("namespaces", action.namespaceId);
      return;
    case "rename":
      draft.put("namespaces", { ...namespaceWith(draft.state, action.namespaceId), className: action.to });
      return;
    case "transfer": {
      const target = workerNamed(draft.state, action.to);
      if (target === undefined) throw new Error(`transfer to '${action.to}', which does not exist`);
      draft.put("namespaces", {
        ...namespaceWith(draft.state, action.namespaceId),
        workerId: target.id,
        transferredFrom: worker.name,
      });
      draft.delete("transfers", action.pendingId);
      return;
    }
    case "expect":
      draft.put("transfers", { id: newTag(), workerId: worker.id, className: action.className, from: action.from });
      return;
    case "cancel":
      draft.delete("transfers", action.pendingId);
  }
}

function namespacesOfNamed(state: State, name: string) {
  const worker = workerNamed(state, name);
  return worker === undefined ? undefined : namespacesOf(state, worker.id);
}

function namespaceWith(state: State, id: string) {
  const namespace = state.namespaces.get(id);
  if (namespace === undefined) throw new Error(`there is no namespace ${id}`);
  return namespace;
}
