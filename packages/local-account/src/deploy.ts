/**
 * Versions and deployments: what an upload becomes, and what it takes for a version to serve.
 *
 * Everything here works on a draft of the account. A refusal throws before the draft is committed, so that a refused
 * deployment changes nothing.
 */
import { refuseDifferentBasePaths } from "./assets/config.ts";
import { assetsFor } from "./assets/sessions.ts";
import { inherit, isSecret, ownClasses, resolveBindings } from "./bindings.ts";
import { ApiError, invalid } from "./errors.ts";
import { newTag, newUuid } from "./ids.ts";
import { migrate } from "./legacy-migrations.ts";
import { type Action, isLive, type Reconciliation, reconcile } from "./lifecycle.ts";
import type { CodeExports, Deployment, ReconciliationReport, Share, State, Version, Worker } from "./model.ts";
import type { Plan } from "./options.ts";
import {
  boundBy,
  currentDeployment,
  namespaceOf,
  namespacesOf,
  servingVersions,
  versionsOf,
  workerNamed,
} from "./queries.ts";
import type { Draft } from "./store.ts";
import type { Upload } from "./upload.ts";

/** What running the modules once told about them. */
export interface Inspection {
  readonly code: CodeExports;
  readonly startupTimeMs: number;
}

/** A moment, as the API writes it. */
export const now = () => new Date().toISOString();

/** @throws ApiError when no Worker can have the name: it is no name, or another one has it. */
function refuseName(state: State, name: string): void {
  if (!/^[a-z0-9_][a-z0-9_-]{0,62}$/i.test(name))
    throw invalid(`name: '${name}' must be 1 to 63 letters, digits, '-' or '_', and not begin with '-'.`);
  if (workerNamed(state, name) !== undefined)
    throw new ApiError(409, 10040, `A Worker named '${name}' exists on your account already.`);
}

/** A Worker as `POST …/workers` and a first upload make it. */
export function createWorker(draft: Draft, name: string, settings: Partial<Worker> = {}): Worker {
  refuseName(draft.state, name);
  const createdOn = now();
  return draft.put("workers", {
    id: newTag(),
    name,
    createdOn,
    updatedOn: createdOn,
    deployedOn: null,
    logpush: false,
    observability: { enabled: false },
    subdomain: { enabled: false, previews_enabled: false },
    tags: [],
    tailConsumers: [],
    schedules: [],
    versionCount: 0,
    migrationTag: null,
    usesExports: false,
    lifecycleFloor: 0,
    ...settings,
  });
}

/** Adds a version to the Worker. With `deploy` its classes are reconciled and all traffic goes to it at once. */
export function addVersion(
  draft: Draft,
  workerId: string,
  upload: Upload,
  inspection: Inspection,
  options: { readonly deploy: boolean; readonly plan: Plan },
): Version {
  const worker = workerOf(draft.state, workerId);
  if (worker.usesExports && upload.migrations !== null)
    throw invalid(
      `'${worker.name}' declares \`exports\`; it cannot go back to \`migrations\`. Describe the change in \`exports\`.`,
    );
  const version = newVersion(draft, worker, upload, inspection);
  draft.put("workers", { ...worker, versionCount: version.number, updatedOn: version.createdOn });
  if (options.deploy) {
    draft.put("versions", version);
    deploy(draft, workerId, [{ version_id: version.id, percentage: 100 }], {
      plan: options.plan,
      force: true,
      source: upload.source,
      annotations: { ...upload.annotations, "workers/triggered_by": "upload" },
    });
    return versionOf(draft.state, version.id);
  }
  const pending = pendingClasses(draft.state, worker, version);
  const bindings = resolveBindings(draft.state, worker, version.bindings, pending);
  return draft.put("versions", { ...version, bindings });
}

/**
 * A version like the newest one with other bindings: what a changed secret or setting makes. With `deploy` it takes
 * over all traffic, and then the newest version must be the one that serves (10215): a change of a secret must not
 * deploy code that nobody deployed.
 */
export function deriveVersion(
  draft: Draft,
  workerId: string,
  change: (
    latest: Version,
  ) => Partial<Pick<Version, "bindings" | "compatibilityDate" | "compatibilityFlags" | "extras">>,
  options: {
    readonly deploy: boolean;
    readonly plan: Plan;
    readonly source: string;
    readonly annotations: Readonly<Record<string, string>>;
  },
): Version {
  const worker = workerOf(draft.state, workerId);
  const latest = versionsOf(draft.state, workerId)[0];
  if (latest === undefined)
    throw new ApiError(400, 10222, `'${worker.name}' has no version yet. Deploy it before its settings are changed.`);
  if (options.deploy && !servesAlone(draft.state, workerId, latest))
    throw new ApiError(
      400,
      10215,
      `The newest version of '${worker.name}' is not the one that has all traffic. Deploy it first, or change a version that is not deployed.`,
    );
  const changed = change(latest);
  const version: Version = {
    ...latest,
    ...changed,
    bindings: resolveBindings(draft.state, worker, [...(changed.bindings ?? latest.bindings)].sort(byName), new Set()),
    id: newUuid(),
    number: worker.versionCount + 1,
    createdOn: now(),
    source: options.source,
    annotations: options.annotations,
    migrations: null,
    report: null,
    deployedOn: null,
  };
  draft.put("workers", { ...worker, versionCount: version.number, updatedOn: version.createdOn });
  draft.put("versions", version);
  if (options.deploy)
    deploy(draft, workerId, [{ version_id: version.id, percentage: 100 }], { ...options, force: true });
  return versionOf(draft.state, version.id);
}

/** Whether the version has all traffic. A Worker that was never deployed has none to lose. */
function servesAlone(state: State, workerId: string, version: Version): boolean {
  const shares = currentDeployment(state, workerId)?.versions ?? [];
  return shares.length === 0 || (shares.length === 1 && shares[0]?.version_id === version.id);
}

const byName = (a: { readonly name: string }, b: { readonly name: string }) => (a.name < b.name ? -1 : 1);

interface DeployOptions {
  readonly plan: Plan;
  /** Deploys though a secret was changed since. */
  readonly force: boolean;
  readonly source: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Sends the Worker's traffic to one or two versions. Class lifecycle is applied here, and only at 100 %. */
export function deploy(draft: Draft, workerId: string, shares: readonly Share[], options: DeployOptions): Deployment {
  checkShares(shares);
  const versions = shares.map(({ version_id }) => {
    const version = draft.state.versions.get(version_id);
    if (version === undefined || version.workerId !== workerId)
      throw new ApiError(404, 10222, `versions: this Worker has no version '${version_id}'.`);
    return version;
  });
  const worker = workerOf(draft.state, workerId);
  for (const version of versions) {
    refuseBeforeFloor(worker, version);
    if (!options.force) refuseStaleSecrets(draft.state, worker, version);
  }
  const [only, second] = versions;
  if (only !== undefined && second === undefined) applyLifecycle(draft, worker, only, options.plan);
  else {
    refuseLifecycleInSplit(draft.state, worker, versions, options.plan);
    refuseDifferentBasePaths(versions.map(({ assets }) => assets?.config));
  }

  const createdOn = now();
  for (const { id } of versions) {
    const version = versionOf(draft.state, id);
    const bindings = resolveBindings(draft.state, workerOf(draft.state, workerId), version.bindings, new Set());
    draft.put("versions", { ...version, bindings, deployedOn: version.deployedOn ?? createdOn });
  }
  draft.put("workers", { ...workerOf(draft.state, workerId), deployedOn: createdOn });
  return draft.put("deployments", {
    id: newUuid(),
    workerId,
    createdOn,
    source: options.source,
    versions: shares.map(({ version_id, percentage }) => ({ version_id, percentage })),
    annotations: options.annotations,
  });
}

/**
 * Gives the Worker another name. Versions, deployments and namespaces are the Worker's by its id, and stay; routes and
 * domains follow it. Refused while something else holds on to the old name.
 */
export function renameWorker(draft: Draft, worker: Worker, name: string): Worker {
  if (name === worker.name) return worker;
  const { state } = draft;
  refuseName(state, name);
  const holding = heldBy(state, worker);
  if (holding.length > 0)
    throw new ApiError(
      501,
      10021,
      `name: the local account does not rename '${worker.name}' while other Workers name it in their bindings or transfers (${holding.join(", ")}).`,
    );
  for (const route of state.routes.values())
    if (route.script === worker.name) draft.put("routes", { ...route, script: name });
  for (const domain of state.domains.values())
    if (domain.service === worker.name) draft.put("domains", { ...domain, service: name });
  return draft.put("workers", { ...worker, name });
}

/** Names of other Workers that have this one's name in a binding of any version, or wait for a class of it. */
function heldBy(state: State, { id, name }: Worker): string[] {
  const holders = [
    ...[...state.versions.values()].filter(({ bindings }) =>
      bindings.some(({ service, script_name }) => service === name || script_name === name),
    ),
    ...[...state.transfers.values()].filter(({ from }) => from === name),
  ];
  const ids = new Set(holders.map(({ workerId }) => workerId));
  ids.delete(id);
  return [...ids].flatMap((holder) => state.workers.get(holder)?.name ?? []).sort();
}

/** Removes the Worker and all that is its own: versions, deployments, namespaces, routes, domains. */
export function deleteWorker(draft: Draft, worker: Worker, force: boolean): void {
  const blocking = force ? [] : dependents(draft.state, worker);
  if (blocking.length > 0)
    throw new ApiError(
      400,
      10064,
      `'${worker.name}' cannot be deleted: other Workers depend on it (${blocking.join(", ")}). Delete it with force=true to do so anyway.`,
    );
  const { state } = draft;
  for (const { id } of versionsOf(state, worker.id)) draft.delete("versions", id);
  for (const { id, workerId } of state.deployments.values())
    if (workerId === worker.id) draft.delete("deployments", id);
  for (const { id } of namespacesOf(state, worker.id)) draft.delete("namespaces", id);
  for (const { id, workerId } of state.transfers.values()) if (workerId === worker.id) draft.delete("transfers", id);
  for (const { id, script } of state.routes.values()) if (script === worker.name) draft.delete("routes", id);
  for (const { id, service } of state.domains.values()) if (service === worker.name) draft.delete("domains", id);
  draft.delete("workers", worker.id);
}

/** Names of other Workers that bind to this one or to its classes. */
function dependents(state: State, worker: Worker): string[] {
  const names = new Set(
    namespacesOf(state, worker.id).flatMap(({ className, id }) => boundBy(state, worker, className, id)),
  );
  for (const other of state.workers.values()) {
    if (other.id === worker.id) continue;
    const binds = servingVersions(state, other.id).some(({ version }) =>
      version.bindings.some(({ type, service }) => type === "service" && service === worker.name),
    );
    if (binds) names.add(other.name);
  }
  return [...names].sort();
}

function newVersion(draft: Draft, worker: Worker, upload: Upload, inspection: Inspection): Version {
  const latest = versionsOf(draft.state, worker.id)[0];
  const assets = assetsFor(draft, upload.assets, { keep: upload.keepAssets, latest, now: Date.now() });
  const bindings = inherit(upload.bindings, {
    from: latest,
    version: (id) => draft.state.versions.get(id),
    keep: upload.keepBindings,
    strict: upload.strictInherit,
  });
  if (assets === undefined && upload.mainModule === null)
    throw invalid(
      "main_module: required, unless there are assets: `assets.jwt`, or `keep_assets` and a version with some.",
    );
  if (assets === undefined && bindings.some(({ type }) => type === "assets"))
    throw invalid("Cannot use an assets binding without assets.");
  return {
    id: newUuid(),
    workerId: worker.id,
    number: worker.versionCount + 1,
    createdOn: now(),
    source: upload.source,
    annotations: { "workers/triggered_by": "upload", ...upload.annotations },
    bindings,
    compatibilityDate: upload.compatibilityDate,
    compatibilityFlags: upload.compatibilityFlags,
    mainModule: upload.mainModule,
    modules: upload.modules.map(({ name, contentType, contents }) => ({
      name,
      contentType,
      sha256: draft.putBlob(contents),
      size: contents.byteLength,
    })),
    ...(assets === undefined ? {} : { assets }),
    code: inspection.code,
    startupTimeMs: inspection.startupTimeMs,
    exports: upload.exports,
    migrations: upload.migrations,
    extras: upload.extras,
    report: null,
    migrationTag: null,
    deployedOn: null,
  };
}

/** Classes that the version declares live, and that its deployment would provision. */
function pendingClasses(state: State, worker: Worker, version: Version): ReadonlySet<string> {
  const declared = Object.entries(version.exports ?? {}).filter(([, entry]) => isLive(entry));
  return new Set(
    declared
      .map(([className]) => className)
      .filter((className) => namespaceOf(state, worker.id, className) === undefined),
  );
}

function checkShares(shares: readonly Share[]): void {
  if (shares.length < 1 || shares.length > 2) throw invalid(`versions: one or two versions, not ${shares.length}.`);
  if (new Set(shares.map(({ version_id }) => version_id)).size < shares.length)
    throw invalid("versions: the two versions are the same.");
  const sum = shares.reduce((total, { percentage }) => total + percentage, 0);
  if (Math.abs(sum - 100) > 1e-6) throw invalid(`versions: the percentages add up to ${sum}; they must add up to 100.`);
}

function refuseBeforeFloor(worker: Worker, version: Version): void {
  if (version.number >= worker.lifecycleFloor) return;
  throw new ApiError(
    400,
    10221,
    `Version ${version.id} (number ${version.number}) cannot be deployed: version ${worker.lifecycleFloor} changed the Durable Object classes of '${worker.name}', and no version from before such a change can serve again.`,
  );
}

/** 10220: the version carries an older value of a secret than what serves now. */
function refuseStaleSecrets(state: State, worker: Worker, version: Version): void {
  const serving = servingVersions(state, worker.id)[0]?.version;
  if (serving === undefined || serving.number <= version.number) return;
  const secrets = ({ bindings }: Version) =>
    new Map(bindings.filter(isSecret).map((secret) => [secret.name, JSON.stringify(secret)]));
  const [before, after] = [secrets(serving), secrets(version)];
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
    (name) => before.get(name) !== after.get(name),
  );
  if (changed.length === 0) return;
  // wrangler reads the names from the end of this sentence.
  throw new ApiError(
    400,
    10220,
    `Version ${version.id} of '${worker.name}' has older secrets than what serves now; force=true deploys it all the same. The following secrets have changed: ${changed.join(", ")}`,
  );
}

/** Applies what the version says of its classes: `exports` if the Worker uses them, else legacy migrations. */
function applyLifecycle(draft: Draft, worker: Worker, version: Version, plan: Plan): void {
  const refused = namespacesOf(draft.state, worker.id).length;
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
  if (refused === 0 && version.migrations === null) return;
  const migrations = version.deployedOn === null ? version.migrations : null;
  const outcome = migrate(migrations, {
    workerId: worker.id,
    currentTag: worker.migrationTag,
    namespaces: namespacesOf(draft.state, worker.id),
    classes: new Set(Object.keys(version.code.named)),
    boundClasses: ownClasses(worker, version.bindings),
    boundBy: ({ className, id }) => boundBy(draft.state, worker, className, id),
    namespacesOf: (name) => namespacesOfNamed(draft.state, name),
    plan,
  });
  for (const namespace of outcome.put) draft.put("namespaces", namespace);
  for (const id of outcome.deletedIds) draft.delete("namespaces", id);
  finish(draft, worker, version, {
    changed: outcome.changesClasses,
    usesExports: false,
    report: null,
    migrationTag: migrations?.newTag ?? worker.migrationTag,
  });
}

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

/** Versions that share the traffic must leave the classes alone (100405). */
function refuseLifecycleInSplit(state: State, worker: Worker, versions: readonly Version[], plan: Plan): void {
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
    }
  }
  const live = (version: Version | undefined) =>
    JSON.stringify(
      Object.entries(version?.exports ?? {})
        .filter(([, entry]) => isLive(entry))
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
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

function workerOf(state: State, id: string): Worker {
  const worker = state.workers.get(id);
  if (worker === undefined) throw new Error(`there is no Worker ${id}`);
  return worker;
}

function versionOf(state: State, id: string): Version {
  const version = state.versions.get(id);
  if (version === undefined) throw new Error(`there is no version ${id}`);
  return version;
}

function namespaceWith(state: State, id: string) {
  const namespace = state.namespaces.get(id);
  if (namespace === undefined) throw new Error(`there is no namespace ${id}`);
  return namespace;
}

/** Version that new settings and secrets are based on: the newest one. Undefined when there is none. */
export const latestVersion = (state: State, workerId: string): Version | undefined => versionsOf(state, workerId)[0];
