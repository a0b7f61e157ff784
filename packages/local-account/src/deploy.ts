/**
 * Deployments: give versions the traffic, or refuse.
 *
 * Everything here works on a draft of the account. A refusal throws before the draft is committed, so that a refused
 * deployment changes nothing.
 */
import { refuseDifferentBasePaths } from "./assets/config.ts";
import { isSecret, resolveBindings } from "./bindings.ts";
import { applyLifecycle, refuseLifecycleInSplit } from "./classes.ts";
import { now } from "./clock.ts";
import { refuseIdleConsumer } from "./consumers.ts";
import { ApiError, invalid } from "./errors.ts";
import { newUuid } from "./ids.ts";
import { DEPLOYABLE } from "./limits.ts";
import type { Deployment, Share, State, Version, Worker } from "./model.ts";
import type { Plan } from "./options.ts";
import { servingVersions, versionOf, versionsOf, workerOf } from "./queries.ts";
import type { Draft } from "./store.ts";

export interface DeployOptions {
  readonly plan: Plan;
  /** Deploys even if a secret was changed since the version was made. */
  readonly force: boolean;
  readonly source: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Sends the Worker's traffic to one or two versions. Changes of classes are applied here, and only at 100 %. */
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
    refuseTooOld(draft.state, worker, version);
    refuseIdleConsumer(draft.state, worker, version);
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

/** The versions that a deployment may name, newest first: of the newest, those that the classes leave, and what serves. */
export function deployableVersions(state: State, worker: Worker): Version[] {
  const serving = servingVersions(state, worker.id);
  return versionsOf(state, worker.id).filter(
    ({ id, number }, index) =>
      (index < DEPLOYABLE && number >= worker.lifecycleFloor) || serving.some(({ version }) => version.id === id),
  );
}

/** A version that passes the floor. */
function refuseTooOld(state: State, worker: Worker, version: Version): void {
  if (deployableVersions(state, worker).some(({ id }) => id === version.id)) return;
  throw new ApiError(
    400,
    10223,
    `Version ${version.id} (number ${version.number}) cannot be deployed: only the ${DEPLOYABLE} newest versions of '${worker.name}' can, and those that serve. Upload it again.`,
  );
}

/** Refuses (10220) a version with an older value of a secret than the serving one. */
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
    `Version ${version.id} of '${worker.name}' has older secrets than the serving version; force=true deploys it anyway. The following secrets have changed: ${changed.join(", ")}`,
  );
}
