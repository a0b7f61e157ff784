/** All that stands against the deployment of a release to a stack, or is worth a warning. */
import type { Release } from "../../release/read.ts";
import type { PublicSettings } from "../../stack/config.ts";
import { cronsOf, logpushOf, type StorageOfStack, tailConsumersOf } from "../../stack/extras.ts";
import { fileOf } from "../../stack/placed.ts";
import { mayLoseData } from "../../stack/pull-stack.ts";
import { addressesTaken, notHeld } from "../addresses/taken.ts";
import { givenBindings } from "../claims/bindings.ts";
import type { Claims } from "../claims/claims.ts";
import { droppedFindings } from "../claims/dropped.ts";
import { awaitedByName } from "../claims/own-worker.ts";
import { awaitedFrom } from "../live/transfers.ts";
import { type LiveWorker, servingBindings } from "../live/worker.ts";
import { type Finding, isError, toldTo } from "../rules/codes.ts";
import { dirtyFindings } from "../rules/dirty-release.ts";
import { unlessNamed } from "../rules/missed-release.ts";
import { orderFindings } from "../rules/older-release.ts";
import { refusedFindings } from "../rules/refused-release.ts";
import { regionFindings } from "../rules/regions.ts";
import { stepFindings } from "../rules/release-step.ts";
import type { SchemaPlan } from "../rules/schema.ts";
import { overrideFindings, wrongFindings } from "../rules/settings.ts";
import { stableRegionFindings } from "../rules/stable-regions.ts";
import { missingOfPin, missingResources } from "../storage/missing.ts";
import { trafficDrift } from "../traffic/drift.ts";
import { endedPin } from "../traffic/pin.ts";
import type { Looked, Looking } from "./look.ts";

/** What is known of the release and of the program besides. */
export interface Told {
  /** What stands against a release of that history because of its lock file; nothing where nobody has looked. */
  readonly lock?: readonly Finding[];
  /** What the guard of promotions has found; a release that serves here already is not promoted. */
  readonly promotion: readonly Finding[];
  /** Names of the secrets and bindings that infra/index.ts adds; undefined: they are not known here. */
  readonly program?: readonly string[];
}

/** The parts of the plan that findings depend on. */
interface Planned {
  readonly looked: Looked;
  readonly claims: Claims;
  readonly schema: SchemaPlan;
  /** What the release asks for. */
  readonly storage: readonly StorageOfStack[];
  /** What becomes of storage that is not declared any more. */
  readonly left: readonly Finding[];
  /** What stands against its deletion where the release gets traffic: buckets with something in them. */
  readonly filled: readonly Finding[];
  readonly holdsData: boolean;
}

interface Findings {
  readonly all: readonly Finding[];
  /** Those of them that stop the way back, too: data would be lost, or something is another's. */
  readonly always: readonly Finding[];
  /** Those that ended the search: whether there are others is not known. Empty: it was made to its end. */
  readonly ended: readonly Finding[];
}

export async function findingsOf(args: Looking & Told, planned: Planned): Promise<Findings> {
  const { settings, release, migrations, known } = args;
  const { ownWorker, live, plan, next, othersRegions, reads } = planned.looked;
  const { claims, schema, storage, left, filled, holdsData } = planned;
  const { traffic } = next.deploy;
  const { stack, pin, allowRegionLoss } = settings;

  const whose = [...ownWorker.findings, ...(await awaitedUnderName(planned.looked, settings)), ...claims.findings];
  const hidden = stableRegionFindings({ ...next, share: traffic.release, settings, live: live.regions, holdsData });
  const taken = await addressesTaken(reads, settings, ownWorker.name, known);
  const dropped = plan.adopts ? await lostByAdopting(args, planned.looked, claims) : [];
  const lost = await missingOfPin(reads.besides, live, { stack, pin, storage });
  const always = [...whose, ...left, ...lost, ...hidden, ...dropped, ...notHeld(taken, known)];

  const serves = live.serving.length > 0 && live.serving.every(({ digest }) => digest === release.digest);
  const promotion = serves ? [] : unlessNamed(args.promotion, settings, release, plan);
  // Settings have mistakes here only on the way back. No version is made then, not even of the release that serves: the
  // admin token, which a version needs, may be what is missing.
  const first = [...wrongFindings(settings.wrong), ...promotion];
  const misbuilt = [...(args.lock ?? []), ...stepFindings(settings, release, migrations)];
  const ended = [...misbuilt, ...ownWorker.findings.filter(isError)];
  // Where the history or the Worker is another, all other findings would suggest wrong fixes.
  if (ended.length > 0) return { all: [...first, ...misbuilt, ...ownWorker.findings], always, ended };
  const all = [
    ...first,
    ...whose,
    ...plan.errors,
    ...overrideFindings(release, settings),
    ...left,
    ...filled,
    ...toldTo(stack, plan.warnings),
    ...hidden,
    ...regionFindings({
      // What gets no traffic hides nothing. Beside a pin it is uploaded only where it could serve.
      live: traffic.release > 0 || pin > 0 ? live.regions : [],
      next: next.table,
      holdsData: holdsData && !mayLoseData(stack),
      ...othersRegions,
      allowRegionLoss,
    }),
    ...traffic.findings,
    ...lost,
    ...endedPin(stack, live.pinned, pin),
    ...schema.findings,
    ...(traffic.release > 0 ? releaseFindings(settings, release, live, serves) : []),
    ...trafficDrift(live, next.asWanted, stack),
    ...dropped,
    ...taken,
    ...(await missingResources(reads.besides, live, { stack, isPinned: pin > 0, known })),
  ];
  return { all, always, ended };
}

/** What stands against a release that gets traffic; `serves`: it serves everybody already. */
function releaseFindings(
  settings: PublicSettings,
  release: Release,
  live: LiveWorker,
  serves: boolean,
): readonly Finding[] {
  const { stack, allowOlderRelease: allowed } = settings;
  // What serves, as this program left it, with the time of its source.
  const serving = live.servedLast.flatMap(({ versionId }) =>
    live.versions.filter((version) => version.versionId === versionId),
  );
  return [
    ...orderFindings({ stack, release, serving, allowed }),
    ...dirtyFindings(settings, release),
    // What serves everybody is not taken from anybody by refusing it: only its next settings and secrets are.
    ...(serves ? [] : refusedFindings(settings, release, live.refused)),
  ];
}

/** Other Workers that wait for classes of this one under the name that it gives up. */
async function awaitedUnderName(
  { workers, ownWorker, live }: Looked,
  settings: PublicSettings,
): Promise<readonly Finding[]> {
  const { renamedFrom } = ownWorker;
  const awaited = renamedFrom === undefined ? [] : await awaitedFrom(workers, renamedFrom, live.classes);
  return awaitedByName(ownWorker, settings, awaited);
}

/** What the Worker that is taken over would lose. */
async function lostByAdopting(
  { reads, settings, release, program }: Looking & Told,
  { live, ownWorker: { worker } }: Looked,
  claims: Claims,
): Promise<readonly Finding[]> {
  return droppedFindings({
    fileOf: (key) => fileOf(settings, key),
    worker: settings.workerName,
    live: servingBindings(live),
    given: givenBindings(release, settings, claims, program),
    all: program !== undefined,
    crons: { live: (await reads.crons(settings.workerName)) ?? [], given: cronsOf(release) },
    consumers: { live: (worker?.tailConsumers ?? []).map(({ name }) => name), given: tailConsumersOf(release) },
    logpush: { live: worker?.logpush ?? false, given: logpushOf(release) },
    handlers: (await reads.handlers(settings.workerName)) ?? [],
    allowDrop: settings.allowDrop,
  });
}
