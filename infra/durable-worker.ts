/**
 * A Worker with Durable Objects: the Worker, one version a release, and the deployment that sends it traffic.
 *
 * A version is immutable at Cloudflare, and so it is here: its logical name carries the digest of the release and of
 * the settings, and it is kept when the next one comes, so that a rollback always has something to go to.
 */
import { relative } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import * as cloudflare from "./cloudflare.ts";
import { isForced, versionMessage } from "./plan/live/messages.ts";
import type { Preview } from "./plan/preview/preview.ts";
import { OF_RELEASE, settingsThatStay } from "./plan/preview/worker-settings.ts";
import { missedNote } from "./plan/rules/missed-release.ts";
import { PlanRefused } from "./plan/rules/plan-refused.ts";
import { overrideNote } from "./promote/override.ts";
import { MAIN_MODULE, shortDigest } from "./release/manifest.ts";
import { LOGICAL, type workerInputs } from "./stack/declared.ts";
import { versionSettings } from "./stack/extras.ts";
import type { Secrets } from "./stack/program-bindings.ts";
import { mustBeSecretNames } from "./stack/secret-names.ts";
import { jsonBinding } from "./stack/told.ts";

/** Where Pulumi opens `contentFile` from: the program's main folder (seen with the real provider). */
const PROGRAM_DIR = import.meta.dirname;

export interface DurableWorkerArgs {
  /** The Worker's name, and the settings that no version carries. */
  readonly inputs: ReturnType<typeof workerInputs>;
  /** What is to be deployed, what is live now, and the way from there. */
  readonly preview: Preview;
  /** The bindings besides the Worker's own classes and the release's record of itself; what they are to comes after it. */
  readonly bindings: (worker: pulumi.Resource) => readonly cloudflare.types.input.WorkerVersionBinding[];
  /** Its secrets by their names. One that is undefined it does not have. */
  readonly secrets: Secrets;
  /** Whether Pulumi refuses to delete the Worker, whose deletion takes all objects with it. */
  readonly protect: boolean;
}

export class DurableWorker extends pulumi.ComponentResource {
  readonly name: pulumi.Output<string>;
  /** Where it answers on workers.dev, when it does. */
  readonly url: pulumi.Output<string>;
  /** The release's version; in a stack that is pinned, and does not take the release, the version that serves. */
  readonly version: { readonly id: pulumi.Output<string>; readonly number: pulumi.Output<number> };
  /** The migration step that is live once this has been applied. */
  readonly migration: string;
  /** Number of the first version for the classes and tables as they are then: a rollback may not go below it. */
  readonly rollbackFloor: pulumi.Output<number>;

  /** @throws PlanRefused or UserError when the preview has errors, or a secret has no name, before anything is declared. */
  constructor(name: string, args: DurableWorkerArgs, options?: pulumi.ComponentResourceOptions) {
    // Not its Worker's name: `pulumi import --parent` could not tell the two apart.
    super("durable-stack:index:DurableWorker", `durable ${name}`, kept(args), { ...options, aliases: [{ name }] });
    const { inputs, protect, preview } = args;
    const { live, plan, traffic, claims } = preview;
    if (preview.errors.length) throw new PlanRefused(preview.errors);
    mustBeSecretNames(Object.keys(args.secrets));

    const worker = new cloudflare.Worker(name, inputs, {
      parent: this,
      protect,
      ...(claims.worker === undefined ? { ignoreChanges: [...settingsThatStay(preview)] } : takingOver(claims.worker)),
    });

    // Declared even where no version is made: Pulumi deletes what is no longer declared.
    const own = args.bindings(worker);
    const bindings = [...own, ...secretBindings(args.secrets)];
    const version = preview.uploads ? this.#upload(worker, args, bindings) : undefined;
    if (version && plan.changesLifecycle && plan.state !== "fresh" && isMade(preview)) tellTookEffect(version, preview);

    this.#deploy(name, worker, args, version);

    const pinned = live.versions.find(({ versionId }) => versionId === traffic.stable?.versionId);
    this.name = worker.name;
    this.url = worker.subdomain.apply(({ url }) => url ?? "");
    this.version = {
      id: pulumi.output(version?.id ?? pinned?.versionId ?? ""),
      number: pulumi.output(version?.number ?? pinned?.number ?? 0),
    };
    this.migration = version ? plan.to : (live.step?.name ?? "");
    this.rollbackFloor = pulumi.output(
      version && (plan.changesLifecycle || preview.schema.raisesFloor || live.rollbackFloor === undefined)
        ? version.number
        : (live.rollbackFloor ?? 0),
    );
    this.registerOutputs({
      name: this.name,
      url: this.url,
      version: this.version,
      migration: this.migration,
      rollbackFloor: this.rollbackFloor,
      // Not before the engine has noted it with each of them.
      keepsStorage: pulumi.unsecret(pulumi.output(own)).apply(() => protect),
    });
  }

  /** The release as a version of the Worker. */
  #upload(
    worker: cloudflare.Worker,
    { inputs, preview }: DurableWorkerArgs,
    bindings: ReturnType<DurableWorkerArgs["bindings"]>,
  ) {
    const { release, plan, tag, settings } = preview;
    const begins = plan.moves.some((move) => move.kind === "create" && move.lost !== undefined);
    return new cloudflare.WorkerVersion(
      LOGICAL.version(tag),
      {
        accountId: inputs.accountId,
        workerId: worker.id,
        annotations: {
          workersTag: tag,
          workersMessage: `${versionMessage(release.digest, release.migration.step, begins)}${overrideNote(settings.promotionOverride, release.digest)}${missedNote(preview.warnings, settings)}`,
        },
        mainModule: MAIN_MODULE,
        modules: release.modules.map(({ name, contentType }) => ({
          name,
          contentType,
          // Relative, so that the state holds no folder of one machine.
          contentFile: relative(PROGRAM_DIR, `${release.dir}/${name}`),
        })),
        compatibilityDate: release.compatibilityDate,
        compatibilityFlags: release.compatibilityFlags,
        ...versionSettings(release),
        bindings: [...ownBindings(preview), ...bindings],
        exports: { ...plan.exports },
        // Upload, reconciliation and all traffic in one atomic call, because Cloudflare applies lifecycle changes only so.
        deploy: plan.changesLifecycle,
      },
      { parent: this, retainOnDelete: true, ignoreChanges: ofItsTime(preview) },
    );
  }

  /** Sends the traffic where the preview says. `version`: the release's; undefined: it has none. */
  #deploy(
    name: string,
    worker: cloudflare.Worker,
    { inputs, preview: { traffic, deploymentMessage } }: DurableWorkerArgs,
    version: cloudflare.WorkerVersion | undefined,
  ) {
    new cloudflare.WorkersDeployment(
      name,
      {
        accountId: inputs.accountId,
        scriptName: worker.name,
        strategy: "percentage",
        versions: [
          ...(version && traffic.release > 0 ? [{ versionId: version.id, percentage: traffic.release }] : []),
          ...(traffic.stable ? [traffic.stable] : []),
        ],
        // An older version may carry older secrets, beside the release or when it is put back over another tool's:
        // without `force` Cloudflare refuses that (API error 10220).
        ...((traffic.stable || isForced(deploymentMessage)) && { force: true }),
        annotations: { workersMessage: deploymentMessage },
      },
      { parent: this },
    );
  }
}

/**
 * The component's own inputs, by which the engine tells that it changes. Once `protect` goes, its outputs are dropped with
 * the first step of the update, before any storage is told: one that fails on its way leaves no `keepsStorage` behind.
 */
const kept = ({ protect }: DurableWorkerArgs) => (protect ? {} : { keepsStorage: false });

/**
 * What of a version that is there stays as it was. What was right when it was made is not wrong because it has been applied
 * since: `exports` then has tombstones that are done, and the API does not return them. Its message may tell of an override
 * that the settings no longer have; the tag is in the resource's name. A replacement keeps what is ignored: one that was
 * made with `deploy` would take all traffic again, and one that waited for a class would wait for ever. So a version that
 * gets no traffic is not replaced, whatever its bindings would be now, and one that is known to be made anew is made as the
 * plan says.
 */
function ofItsTime({ traffic, renewedBecause }: Preview): string[] {
  const applied = ["exports", "annotations", "deploy"];
  if (traffic.release === 0) return [...applied, "bindings"];
  return renewedBecause === undefined ? applied : [];
}

/** Whether the release becomes a version by this update: one that was uploaded before changes nothing by itself. */
const isMade = ({ live, tag, renewedBecause }: Preview): boolean =>
  renewedBecause !== undefined || live.versions.every((version) => version.tag !== tag);

/**
 * Says that a change of classes is in force as soon as it is: the deployment comes after it, and may fail. No program
 * hears of that, so it is told before.
 */
function tellTookEffect(version: cloudflare.WorkerVersion, { release, plan }: Preview): void {
  version.id.apply(() =>
    pulumi.log.info(
      `The change of classes has taken effect: release ${shortDigest(release.digest)} has all traffic, at step ${plan.to}. If a later part of this update fails, run the same command again to complete it.`,
    ),
  );
}

const secretBindings = (secrets: DurableWorkerArgs["secrets"]) =>
  Object.entries(secrets).flatMap(([name, text]) =>
    text === undefined ? [] : [{ type: "secret_text", name, text: pulumi.secret(text) }],
  );

/**
 * Options with which Pulumi takes an existing Worker into its state instead of making one. The Worker's own settings
 * stay as they are until the next `up`. Never for a Worker that the state has (plan/claims/claims.ts): there an import would
 * replace it, and delete it with all its objects.
 */
const takingOver = (importId: string): pulumi.CustomResourceOptions => ({
  import: importId,
  ignoreChanges: [...OF_RELEASE, "subdomain", "tags"],
});

/**
 * The bindings that follow from the release alone: its classes, its record of itself, the version's metadata. Another
 * commit that makes the same bytes is no other version.
 */
function ownBindings({ release, source, secrets }: Preview): readonly cloudflare.types.input.WorkerVersionBinding[] {
  const { bindings, digest, migration, schemas } = release;
  const { commit, committed } = source;
  const record = { digest, migration: migration.step, history: migration.history, schemas, commit, committed, secrets };
  return [
    ...bindings.map(({ binding, className }) => ({ type: "durable_object_namespace", name: binding, className })),
    jsonBinding("RELEASE", record),
    { type: "version_metadata", name: "VERSION" },
  ];
}
