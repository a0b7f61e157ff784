/**
 * What the next deployment of a release to a stack will do: reads what is live, plans, and reads what the plan's
 * readers want to know besides. The program and `npm run migrations -- plan` both show and obey this one.
 */
import type { Migration } from "@durable-stack/class-lifecycle";
import {
  type Finding,
  forStack,
  hashes,
  isError,
  type Move,
  type Plan,
  plan,
  type Situation,
  tombstoneOf,
} from "@durable-stack/class-lifecycle";
import { toldTo } from "../pull-request/stack-name.ts";
import { shortDigest } from "../release/manifest.ts";
import type { Release } from "../release/read.ts";
import { recordedCommit } from "../release/source.ts";
import { versionTag } from "../release/tag.ts";
import { LEAST_SHARE } from "../rollout/steps.ts";
import { fileOf, type PublicSettings } from "../stack/config.ts";
import { LOGICAL } from "../stack/declared.ts";
import { cronsOf, overrideFindings, storageOf, versionPart } from "../stack/extras.ts";
import { regionTable, workerSettings } from "../stack/told.ts";
import { type Address, takenAddresses } from "./addresses.ts";
import { servableTag } from "./changed-by-others.ts";
import { type Claims, claimsOf } from "./claims.ts";
import { dirtyFindings } from "./dirty.ts";
import { deploymentMessage, servesAsWanted, trafficDrift } from "./drift.ts";
import { type BindingChange, bindingChanges, droppedFindings, givenBindings, hasOfProgram } from "./dropped.ts";
import { awaitedByName, type Identity, identify } from "./identity.ts";
import type { Known } from "./known.ts";
import { type LiveVersion, type LiveWorker, listWorkers, readLive, readOthers, regionTableOf } from "./live.ts";
import { orderFindings } from "./order.ts";
import { keptVersion } from "./ours.ts";
import { type Back, endedPin, notUploaded, pinned } from "./pin.ts";
import type { ObjectCount, Reads } from "./reads.ts";
import { refusalNote, refusedFindings, takenBack } from "./refused-release.ts";
import {
  compareRegions,
  isSameRegions,
  type RegionChange,
  type RegionTable,
  regionFindings,
  sharedRegionFindings,
} from "./regions.ts";
import { type SchemaPlan, schemaPlan } from "./schema.ts";
import { notDeclared } from "./storage-claims.ts";
import { storageLeft } from "./storage-left.ts";
import { shareOf, split, type Traffic } from "./traffic.ts";
import { awaitedByOthers, awaitedFrom, heldBy, provisionedOf } from "./transfers.ts";

export interface Preview {
  readonly settings: PublicSettings;
  readonly release: Release;
  readonly live: LiveWorker;
  /** Which Worker of the account is the stack's. */
  readonly identity: Identity;
  /** The names of the stack's resources, and what of them is taken over. */
  readonly claims: Claims;
  readonly plan: Plan;
  /** The tag of the version that the release makes in this stack. */
  readonly tag: string;
  /** The commit that the version names: of the first build with these bytes, as long as its version is kept. */
  readonly source: { readonly commit: string | undefined; readonly committed: string | undefined };
  /** The mark of the stack's secrets, which the version records; undefined: whoever asks does not know them. */
  readonly secrets: string | undefined;
  /** Why the release becomes a version once more, though one with its tag is there, in words; undefined: it does not. */
  readonly renewedBecause: string | undefined;
  readonly traffic: Traffic;
  /** How the tables of the release stand to those of the objects. */
  readonly schema: SchemaPlan;
  /** The message of the deployment. */
  readonly deploymentMessage: string;
  /** Digest of the release that serves once this has been deployed; undefined: none of ours. */
  readonly served: string | undefined;
  /** Per cent of the traffic that it has then. */
  readonly share: number;
  /** Since when it has had all of it; undefined: it gets it only now, or not. */
  readonly servedSince: string | undefined;
  /** Whether the state has cron triggers, which may be none. */
  readonly hadCrons: boolean;
  /** How the region table of what is to serve stands to those that serve. */
  readonly regions: readonly RegionChange[];
  /**
   * Of bindings beside those of the program; none where the Worker is new, or taken over: then all are told of. None
   * either where the release gets no traffic.
   */
  readonly bindings: readonly BindingChange[];
  /** Whether bindings may come or go of which nothing is known here, because only the program knows them. */
  readonly unknownBindings: boolean;
  /** Objects of classes that change, by the name that is live, where the API gives them. */
  readonly objects: ReadonlyMap<string, ObjectCount>;
  /** Whether the release becomes a version. Not while the stack is pinned and the release could not serve beside it. */
  readonly uploads: boolean;
  /** What stops it, all at once. Empty: it may be sent. */
  readonly errors: readonly Finding[];
  readonly warnings: readonly Finding[];
  /** What is wrong with the release and stops nothing, because the traffic goes back and the release stays where it is. */
  readonly passedOver: readonly Finding[];
}

export interface PreviewArgs {
  readonly reads: Reads;
  readonly settings: PublicSettings;
  readonly release: Release;
  readonly migrations: readonly Migration[];
  /** What stands against a release of that history because of its lock file; nothing where nobody has looked. */
  readonly lock?: readonly Finding[];
  /** What the guard of promotions has found; a release that serves here already is not promoted. */
  readonly promotion: readonly Finding[];
  /** What the stack's state has; undefined where nobody can read it. */
  readonly known?: Known | undefined;
  /** The mark of the stack's secrets, which may still be made; undefined: they are not known here. */
  readonly secrets?: string | Promise<string>;
  /** Names of the secrets and bindings that infra/index.ts adds; undefined: they are not known here. */
  readonly program?: readonly string[];
  /** Where they are not known: whether it may add any. */
  readonly mayAdd?: boolean;
}

/** Reads the stack's account and plans the way of `release` into it. Sends nothing. */
export async function previewOf(args: PreviewArgs): Promise<Preview> {
  const { reads, settings, release, migrations, known } = args;
  const { stack, allowDestroy, allowTransferLoss, allowRegionLoss, adopt, rollout, rolloutTrial, pin } = settings;
  const workers = await listWorkers(reads);
  const identity = identify(settings, workers.list, known);
  const live = await readLive(workers, identity.name);
  const neighbours = live.references.map(({ worker }) => worker);
  const senders = [...(live.classes?.values() ?? [])].flatMap(({ fromWorker = [] }) => fromWorker);
  const partners = [...transferPartners(forStack(migrations, stack)), ...senders];
  const others = await readOthers(workers, [...partners, ...neighbours]);

  const situation: Situation = {
    migrations,
    worker: identity.name,
    stack,
    live,
    code: release.classes,
    bound: release.bindings.map(({ className }) => className),
    references: live.references,
    others: await heldBy(workers, others),
    provisioned: await provisionedOf(workers, identity.name, live.classes),
    adopt,
    allowDestroy,
    allowTransferLoss,
    rollout,
  };
  // Who waits for a class is asked only once it is known that one leaves or is received.
  const awaited = await awaitedByOthers(workers, identity.name, plan(situation).moves);
  const planned = plan({ ...situation, awaited });
  const table = regionTable(settings);
  const tables = (names: readonly string[]) =>
    names.flatMap((worker) => (others.get(worker)?.regions ?? []).map((before) => ({ worker, table: before })));
  const extras = versionPart(release, settings);
  const { versions, rollbackFloor, changedByOthers: changed } = live;
  const parts = [
    workerSettings(settings),
    table,
    ...(extras === undefined ? [] : [extras]),
    // It makes other `exports` of the same release.
    ...(allowTransferLoss.length === 0 ? [] : [{ allowTransferLoss }]),
  ];
  const tag = servableTag(versionTag(release, parts), versions, changed);
  const traffic =
    pin > 0
      ? pinned({ stack, pin, versions, rollbackFloor })
      : split(
          live.servedLast.filter(({ number }) => number >= (changed ?? 0)),
          tag,
          rolloutTrial && rollout === 0 ? LEAST_SHARE : rollout,
        );
  // A version that serves in place of the release, or beside it, names objects by a table of its own.
  const stable = versionOf(live, traffic.stable?.versionId);
  const stableTable = stable && regionTableOf(stable);
  const regions = live.regions.flatMap((before) => {
    const next = traffic.release > 0 ? table : stableTable;
    return next ? compareRegions(before, next) : [];
  });
  const differs = live.regions.some((before) =>
    [table, stableTable].some((other) => other && !isSameRegions(before, other)),
  );
  const counts = await countObjects(reads, identity.name, planned.moves, differs);
  const schema = schemaPlan({
    stack,
    release,
    inUse: live.schemas,
    moves: planned.moves,
    share: traffic.release,
  });
  const secrets = await args.secrets;
  const kept = keptVersion(tag, versions, live.servedLast);
  const older =
    traffic.release > 0
      ? orderFindings({ stack, release, serving: dated(live), allowed: settings.allowOlderRelease })
      : [];
  const asWanted = servesAsWanted(live.serving, tag, traffic);
  const storage = storageOf(release, settings);
  const claims = await claimsOf({ reads, settings, identity, live, known, storage, adopts: planned.adopts });
  const left = storageLeft(settings, notDeclared(known, storage));
  const { holdsData } = counts;
  const hidden = stableRegionFindings({ settings, live, traffic, stable, stableTable, table, holdsData });
  const misbuilt = [...(args.lock ?? []), ...mismatch(settings, release, migrations)];
  const serves = live.serving.length > 0 && live.serving.every(({ digest }) => digest === release.digest);
  const findings = serves ? [] : args.promotion;
  const { renamedFrom } = identity;
  const awaitedUnderName = renamedFrom === undefined ? [] : await awaitedFrom(workers, renamedFrom, live.classes);
  const whose = [...identity.findings, ...awaitedByName(identity, settings, awaitedUnderName), ...claims.findings];
  const taken = await addressFindings(reads, settings, identity.name);
  const dropped = planned.adopts ? await lostByAdopting(args, live, claims) : [];
  // Where the history or the Worker is another, all other findings would suggest wrong fixes.
  const all =
    misbuilt.length || identity.findings.some(isError)
      ? [...findings, ...misbuilt, ...identity.findings]
      : [
          ...findings,
          ...whose,
          ...planned.errors,
          ...overrideFindings(release, settings),
          ...left,
          ...toldTo(stack, planned.warnings),
          ...hidden,
          ...regionFindings({
            // What gets no traffic hides nothing. Beside a pin it is uploaded only where it could serve.
            live: traffic.release > 0 || pin > 0 ? live.regions : [],
            next: table,
            holdsData,
            sources: tables(planned.moves.flatMap(arrivesFrom)),
            neighbours: tables(neighbours),
            allowRegionLoss,
          }),
          ...traffic.findings,
          ...endedPin(stack, live.pinned, pin),
          ...schema.findings,
          ...older,
          ...(traffic.release > 0
            ? [
                ...dirtyFindings(settings, release),
                // What serves everybody is not taken from anybody by refusing it: only its next settings and secrets are.
                ...(serves ? [] : refusedFindings(settings, release, live.refused)),
              ]
            : []),
          ...trafficDrift(live, asWanted),
          ...dropped,
          ...taken,
          ...(await missingResources(reads, live, pin > 0 ? stack : undefined)),
        ];
  const served = traffic.release > 0 ? release.digest : versionOf(live, traffic.stable?.versionId)?.digest;
  // A release that gets traffic may be one that is tried once more, and then nothing is taken back.
  const refused =
    traffic.release === 0
      ? takenBack(
          settings,
          release.digest,
          live.serving.map(({ digest }) => digest),
          served,
        )
      : undefined;
  const share = shareOf(served, release.digest, traffic, versions);
  const abandons = traffic.release === 0 && live.servedLast.length > 1;
  const back = pin > 0 ? "pinned" : abandons ? "abandoned" : undefined;
  return {
    settings,
    release,
    live,
    identity,
    claims,
    plan: planned,
    source: kept ?? { commit: recordedCommit(release), committed: release.committed ?? undefined },
    tag,
    secrets,
    renewedBecause: kept && renewedBecause({ tag, kept, secrets, known }),
    traffic,
    schema,
    deploymentMessage: deploymentMessage(live, tag, asWanted, {
      refusal: refused && refusalNote(refused),
      pin: pin > 0 ? pin : undefined,
    }),
    served,
    share,
    servedSince: share === 100 && served === live.digest ? live.servedSince : undefined,
    hadCrons: known?.get("WorkersCronTrigger", LOGICAL.crons) !== undefined,
    regions,
    bindings:
      live.digest === undefined || planned.adopts || traffic.release === 0
        ? []
        : bindingChanges(
            {
              live: servingBindings(live),
              given: givenBindings(release, settings, claims, args.program),
              all: args.program !== undefined,
              worker: identity.name,
            },
            release.bindings.map(({ binding }) => binding),
          ),
    unknownBindings:
      args.program === undefined &&
      traffic.release > 0 &&
      ((args.mayAdd === true && live.serving.length > 0) || hasOfProgram(servingBindings(live), identity.name)),
    objects: counts.objects,
    ...judged(
      all,
      [...whose, ...left, ...hidden, ...dropped, ...notHeld(taken, settings, known)],
      back && { back, stack, release, traffic, changesLifecycle: planned.changesLifecycle },
    ),
  };
}

interface Beside {
  readonly settings: Pick<PublicSettings, "stack" | "pin" | "allowRegionLoss">;
  readonly live: LiveWorker;
  readonly traffic: Traffic;
  /** The version that serves in place of the release, or beside it, and its table where it has one. */
  readonly stable: LiveVersion | undefined;
  readonly stableTable: RegionTable | undefined;
  /** The release's table. */
  readonly table: RegionTable;
  readonly holdsData: boolean;
}

/** What stands against the region table of a version that is to serve: in the release's place, or beside it. */
function stableRegionFindings({
  live,
  traffic,
  stable,
  stableTable,
  table,
  holdsData,
  settings: { stack, pin, allowRegionLoss },
}: Beside): readonly Finding[] {
  if (!stable || !stableTable) return [];
  if (traffic.release > 0) {
    return sharedRegionFindings(traffic.release, table, { number: stable.number, table: stableTable });
  }
  const nothing = { sources: [], neighbours: [] };
  // The table of a version that is there cannot be changed.
  return regionFindings({ live: live.regions, next: stableTable, holdsData, allowRegionLoss, ...nothing }).map(
    (finding) => ({
      ...finding,
      fix: `${finding.code === "region_prefix_ambiguous" ? "" : `when objects with this prefix may be lost from sight, set allowRegionLoss: [${finding.subject}]; else `}leave the traffic where it is: ${
        pin > 0
          ? `set no pin, or release it with \`npm run rollback -- --stack ${stack} --unpin\``
          : "set rollout to 100, with the release and the settings that are to serve"
      }.`,
    }),
  );
}

interface Kept {
  readonly tag: string;
  readonly kept: Pick<LiveVersion, "number" | "secrets">;
  readonly secrets: string | undefined;
  readonly known: Known | undefined;
}

/** Why a release whose version is there becomes one again; undefined: it does not, as far as anybody can tell. */
function renewedBecause({ tag, kept, secrets, known }: Kept): string | undefined {
  if (known && !known.get("WorkerVersion", LOGICAL.version(tag))) return "the state does not have its version";
  return secrets === undefined || secrets === kept.secrets ? undefined : "a secret of the stack has changed";
}

interface GoingBack {
  readonly back: Back;
  readonly stack: string;
  readonly release: Release;
  readonly traffic: Traffic;
  readonly changesLifecycle: boolean;
}

/**
 * What the findings stop. Where the traffic goes back nothing that is wrong with the release does: that works whatever
 * release happens to be at hand. `always`: what stops it there too, for data would be lost, or something is another's.
 */
function judged(
  all: readonly Finding[],
  always: readonly Finding[],
  going?: GoingBack,
): Pick<Preview, "uploads" | "errors" | "warnings" | "passedOver"> {
  const errors = all.filter(isError);
  const warnings = all.filter((finding) => !isError(finding));
  if (!going) return { uploads: true, errors, warnings, passedOver: [] };
  const passedOver = errors.filter((finding) => !going.traffic.findings.includes(finding) && !always.includes(finding));
  const reasons = [
    ...(going.changesLifecycle ? ["it changes classes, which takes all traffic at once"] : []),
    ...passedOver.map(({ code, subject }) => `${code} ${subject}`),
  ];
  return {
    uploads: reasons.length === 0,
    errors: [...going.traffic.findings, ...always].filter(isError),
    warnings: reasons.length
      ? [...warnings, notUploaded(going.stack, shortDigest(going.release.digest), reasons, going.back)]
      : warnings,
    passedOver,
  };
}

/** What serves, as this program left it, with the time of its source. */
const dated = ({ servedLast, versions }: LiveWorker) =>
  servedLast.flatMap(({ versionId }) => versions.filter((version) => version.versionId === versionId));

const versionOf = ({ versions }: LiveWorker, id: string | undefined) =>
  versions.find(({ versionId }) => versionId === id);

/** The bindings of the versions that serve. */
const servingBindings = (live: LiveWorker) =>
  live.serving.flatMap(({ versionId }) => versionOf(live, versionId)?.bindings ?? []);

/** What the Worker that is taken over would lose. */
async function lostByAdopting(
  { reads, settings, release, program }: PreviewArgs,
  live: LiveWorker,
  claims: Claims,
): Promise<readonly Finding[]> {
  return droppedFindings({
    fileOf: (key) => fileOf(settings, key),
    worker: settings.workerName,
    live: servingBindings(live),
    given: givenBindings(release, settings, claims, program),
    all: program !== undefined,
    crons: { live: (await reads.crons(settings.workerName)) ?? [], given: cronsOf(release) },
    allowDrop: settings.allowDrop,
  });
}

/** Addresses that the settings name and another Worker has. */
async function addressFindings(
  reads: Reads,
  { zoneId, hostname, routes }: PublicSettings,
  workerName: string,
): Promise<readonly Finding[]> {
  const [domains, inZone] = await Promise.all([
    hostname === undefined ? undefined : reads.domains(),
    zoneId === undefined || routes.length === 0 ? undefined : reads.routes(zoneId),
  ]);
  const there: readonly Address[] = [
    ...(domains ?? []).map((domain) => ({ kind: "hostname" as const, name: domain.hostname, worker: domain.service })),
    ...(inZone ?? []).map(({ pattern, script }) => ({ kind: "route" as const, name: pattern, worker: script })),
  ];
  return takenAddresses({ workerName, hostname, routes }, there);
}

/** Those of addresses that the state does not have, so that an update would take them: what it has, it leaves alone. */
function notHeld(
  taken: readonly Finding[],
  { hostname }: PublicSettings,
  known: Known | undefined,
): readonly Finding[] {
  const domain = known?.get("WorkersCustomDomain", LOGICAL.domain)?.hostname;
  const held = new Set([
    ...(domain === hostname ? [`hostname ${hostname}`] : []),
    ...(known?.names("WorkersRoute") ?? []),
  ]);
  return taken.filter(({ subject }) => !held.has(subject));
}

/** Storage that the serving versions are bound to, and that is gone; `pinned`: the stack, where it has a pin. */
async function missingResources(
  reads: Reads,
  live: LiveWorker,
  pinned: string | undefined,
): Promise<readonly Finding[]> {
  const bound = new Map(servingBindings(live).map((binding) => [binding.name, binding]));
  const missing = await Promise.all(
    [...bound.values()].map(async (binding) => ((await reads.boundExists(binding)) === false ? [binding] : [])),
  );
  return missing.flat().map(({ name, type, namespaceId, bucketName, id, databaseId }) => ({
    code: "bound_resource_missing",
    subject: name,
    message: `the ${type === "r2_bucket" ? "bucket" : type === "d1" ? "D1 database" : "KV namespace"} ${bucketName ?? namespaceId ?? id ?? databaseId} that the live Worker is bound to does not exist any more.`,
    fix: `what was in it is gone with it. Find out who deleted it, and put back first what can be put back (a bucket under the same name); \`up --refresh\` makes anew what is missing, empty.${
      // A new one has another id, and no version changes.
      pinned !== undefined && type !== "r2_bucket"
        ? ` The version that the stack is pinned to cannot be deployed again without it: \`npm run rollback -- --stack ${pinned} --unpin\` makes it anew, for the release.`
        : ""
    }`,
  }));
}

/** A release goes out only with the history that it was built from. */
function mismatch(
  { release: folder }: PublicSettings,
  { migration }: Release,
  migrations: readonly Migration[],
): readonly Finding[] {
  const last = migrations.at(-1)?.name ?? "";
  if (migration.step === last && migration.history === hashes(migrations).at(-1)) return [];
  return [
    {
      code: "release_step_mismatch",
      subject: folder,
      message:
        migration.step === last
          ? `the release was built at step ${last} of another history than infra/migrations.ts has now.`
          : `the release was built at step ${migration.step}, but infra/migrations.ts ends at ${last}.`,
      fix: "build it again (`npm run build`), or check out the commit that it was built from.",
    },
  ];
}

interface Counts {
  readonly objects: ReadonlyMap<string, ObjectCount>;
  /** Whether any class has objects; true where nobody can tell. */
  readonly holdsData: boolean;
}

/** Counts the objects of classes that change, or of all where `everything` is asked for. */
async function countObjects(
  reads: Reads,
  workerName: string,
  moves: readonly Move[],
  everything: boolean,
): Promise<Counts> {
  const changing = new Set(moves.map(tombstoneOf));
  if (!everything && moves.every((move) => tombstoneOf(move) === undefined)) {
    return { objects: new Map(), holdsData: true };
  }
  const namespaces = await reads.namespaces(workerName);
  const asked = (namespaces ?? []).filter(({ class: name }) => everything || changing.has(name));
  const counted = await Promise.all(
    asked.map(async ({ id, class: name = "" }) => ({ name, count: await reads.objects(id) })),
  );
  return {
    objects: new Map(counted.flatMap(({ name, count }) => (count ? [[name, count] as const] : []))),
    holdsData:
      namespaces === undefined || counted.some(({ count }) => count === undefined || count.count > 0 || count.more),
  };
}

/** The Worker that a class of this one is taken over from, where it is. */
const arrivesFrom = (move: Move): readonly string[] =>
  (move.kind === "receive" || move.kind === "keep") && move.fromWorker !== undefined ? [move.fromWorker] : [];

/** Other Workers that the history's transfers name. */
function transferPartners(steps: readonly Migration[]): readonly string[] {
  return steps
    .flatMap(({ changes }) => changes)
    .flatMap((change) => {
      if (change.op === "send") return [change.toWorker];
      return change.op === "receive" ? [change.fromWorker] : [];
    });
}
