/** Makes versions from uploads and from changed settings. A refusal throws before the draft is committed. */
import { assetsFor } from "./assets/sessions.ts";
import { inherit, resolveBindings } from "./bindings.ts";
import { now } from "./clock.ts";
import { type DeployOptions, deploy } from "./deploy.ts";
import { ApiError, invalid } from "./errors.ts";
import { newUuid } from "./ids.ts";
import { liveExports } from "./lifecycle.ts";
import { checkVariables } from "./limits.ts";
import type { Binding, CodeExports, State, Version, Worker } from "./model.ts";
import type { Plan } from "./options.ts";
import { currentDeployment, namespaceOf, versionOf, versionsOf, workerOf } from "./queries.ts";
import type { Draft } from "./store.ts";
import type { Upload } from "./upload.ts";

/** What the account learned by starting the modules once. */
export interface Inspection {
  readonly code: CodeExports;
  readonly startupTimeMs: number;
}

interface Uploaded {
  readonly upload: Upload;
  readonly inspection: Inspection;
}

/** Adds a version to the Worker. With `deploy`, reconciles its classes and sends all traffic to it at once. */
export function addVersion(
  draft: Draft,
  workerId: string,
  uploaded: Uploaded,
  options: { readonly deploy: boolean; readonly plan: Plan },
): Version {
  const { upload } = uploaded;
  const worker = workerOf(draft.state, workerId);
  if (worker.usesExports && upload.migrations !== null)
    throw invalid(
      `'${worker.name}' declares \`exports\`; it cannot go back to \`migrations\`. Describe the change in \`exports\`.`,
    );
  const version = newVersion(draft, worker, uploaded, options.deploy);
  checkVariables(version.bindings, options.plan);
  if (!options.deploy) {
    const pending = pendingClasses(draft.state, worker, version);
    return add(draft, worker, {
      ...version,
      bindings: resolveBindings(draft.state, worker, version.bindings, pending),
    });
  }
  return add(draft, worker, version, {
    plan: options.plan,
    source: upload.source,
    annotations: {
      "workers/message": upload.annotations["workers/message"] ?? "Automatic deployment on upload.",
      "workers/triggered_by": "upload",
    },
  });
}

/**
 * Makes a version with the newest version's code and other bindings, after a change of a secret or a setting. With
 * `deploy` it gets all traffic. Then the newest version must be the serving one (10215), because a new secret must not
 * deploy code that nobody has deployed.
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
  checkVariables(version.bindings, options.plan, latest.bindings);
  return add(draft, worker, version, options.deploy ? options : undefined);
}

/** Adds the version as the Worker's newest, and sends all traffic to it where it is to be deployed. */
function add(draft: Draft, worker: Worker, version: Version, deploying?: Omit<DeployOptions, "force">): Version {
  draft.put("workers", { ...worker, versionCount: version.number, updatedOn: version.createdOn });
  draft.put("versions", version);
  if (deploying) deploy(draft, worker.id, [{ version_id: version.id, percentage: 100 }], { ...deploying, force: true });
  return versionOf(draft.state, version.id);
}

/** Whether the version has all traffic, or the Worker was never deployed. */
function servesAlone(state: State, workerId: string, version: Version): boolean {
  const shares = currentDeployment(state, workerId)?.versions ?? [];
  return shares.length === 0 || (shares.length === 1 && shares[0]?.version_id === version.id);
}

const byName = (a: { readonly name: string }, b: { readonly name: string }) => (a.name < b.name ? -1 : 1);

/** The most characters of a label of a host name, which `<alias>-<worker>` is. */
const MOST_OF_LABEL = 63;

/** Refuses an alias (`--preview-alias`) that no address can have. */
function checkAlias({ annotations }: Upload, worker: Worker): void {
  const alias = annotations["workers/alias"];
  if (alias === undefined) return;
  if (!/^[a-z][a-z0-9-]*$/.test(alias))
    throw invalid(
      `annotations.workers/alias: '${alias}' must be lower-case letters, digits and '-', and begin with a letter.`,
    );
  if (`${alias}-${worker.name}`.length > MOST_OF_LABEL)
    throw invalid(
      `Alias name too long. '${alias}-${worker.name}' must have at most ${MOST_OF_LABEL} characters in total.`,
    );
}

function newVersion(draft: Draft, worker: Worker, { upload, inspection }: Uploaded, deploy: boolean): Version {
  checkAlias(upload, worker);
  const latest = versionsOf(draft.state, worker.id)[0];
  const assets = assetsFor(draft, upload.assets, { keep: upload.keepAssets, latest, now: Date.now() });
  const bindings = allBindings(draft.state, worker.id, upload);
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
    annotations: { "workers/triggered_by": deploy ? "upload" : "version_upload", ...upload.annotations },
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
    ...(assets !== undefined && { assets }),
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

/** The bindings of an upload to a Worker: its own, and those that it takes from earlier versions. */
export const allBindings = (state: State, workerId: string | undefined, upload: Upload): Binding[] =>
  inherit(upload.bindings, {
    state,
    workerId,
    keep: upload.keepBindings,
    strict: upload.strictInherit,
  });

/** The classes that the version declares and that its deployment would provision. */
function pendingClasses(state: State, worker: Worker, version: Version): ReadonlySet<string> {
  const declared = Object.keys(liveExports(version.exports ?? {}));
  return new Set(declared.filter((className) => namespaceOf(state, worker.id, className) === undefined));
}

/** The newest version, on which new settings and secrets are based; undefined if there is none. */
export const latestVersion = (state: State, workerId: string): Version | undefined => versionsOf(state, workerId)[0];
