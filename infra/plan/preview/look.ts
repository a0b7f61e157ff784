/** What the account has of a stack, and the way from there to the end of the history. */
import { forStack, type Migration, type Move, type Plan, plan, type Situation } from "@durable-stack/class-lifecycle";
import type { Release } from "../../release/read.ts";
import type { PublicSettings } from "../../stack/config.ts";
import type { PlanReads, Reads } from "../account/reads.ts";
import { type OwnWorker, ownWorkerOf } from "../claims/own-worker.ts";
import { awaitedByOthers, heldBy, provisionedOf } from "../live/transfers.ts";
import { type LiveWorker, listWorkers, readLive, readOthers, type Workers } from "../live/worker.ts";
import type { RegionSituation } from "../rules/regions.ts";
import type { Known } from "../state/known.ts";
import { type Next, nextOf } from "../traffic/next.ts";

export interface Looking {
  readonly reads: Reads;
  readonly settings: PublicSettings;
  readonly release: Release;
  readonly migrations: readonly Migration[];
  /** What the stack's state has; undefined where nobody can read it. */
  readonly known?: Known | undefined;
}

/** A look that knows of the stack's secrets what a version records; undefined: they are not known here. */
interface WithSecrets extends Looking {
  readonly secrets: string | undefined;
}

export interface Looked {
  readonly reads: PlanReads;
  readonly workers: Workers;
  /** Which Worker of the account is the stack's. */
  readonly ownWorker: OwnWorker;
  readonly live: LiveWorker;
  /** What serves once the release was deployed. */
  readonly next: Next;
  readonly plan: Plan;
  /** Region tables of the Workers that classes come from, and of those that are bound to classes of this one. */
  readonly othersRegions: Pick<RegionSituation, "sources" | "neighbours">;
}

/** Reads what is live, and plans. */
export async function look({ reads, settings, release, migrations, known, secrets }: WithSecrets): Promise<Looked> {
  const { stack, allowDestroy, allowTransferLoss, adopt, rollout } = settings;
  // A pin is known before anything is read, the end of a rollout only by what serves.
  const listed = await listWorkers(settings.pin > 0 ? reads.lenient() : reads);
  const ownWorker = ownWorkerOf(settings, listed.list, known);
  const live = await readLive(listed, ownWorker.name);
  const next = nextOf(release, settings, live, { known, secrets });
  const besides = next.back ? reads.lenient() : reads;
  const workers = { ...listed, reads: besides };
  const neighbours = live.references.map(({ worker }) => worker);
  const senders = [...(live.classes?.values() ?? [])].flatMap(({ fromWorker = [] }) => fromWorker);
  const partners = [...transferPartners(forStack(migrations, stack)), ...senders];
  const others = await readOthers(workers, [...partners, ...neighbours]);
  const situation: Situation = {
    migrations,
    worker: ownWorker.name,
    stack,
    live,
    code: release.classes,
    bound: release.bindings.map(({ className }) => className),
    references: live.references,
    others: await heldBy(workers, others),
    provisioned: await provisionedOf(workers, ownWorker.name, live.classes),
    adopt,
    allowDestroy,
    allowTransferLoss,
    isDeployed: next.isDeployed,
    rollout,
  };
  // Who waits for a class is asked only once it is known that one leaves or is received.
  const awaited = await awaitedByOthers(workers, ownWorker.name, plan(situation).moves);
  const planned = plan({ ...situation, awaited });
  const tables = (names: readonly string[]) =>
    names.flatMap((worker) => (others.get(worker)?.regions ?? []).map((before) => ({ worker, table: before })));
  return {
    // Where nobody here can read the state, the update that does asks once more.
    reads: { certain: known ? reads : besides, besides },
    workers,
    ownWorker,
    live,
    next,
    plan: planned,
    othersRegions: { sources: tables(planned.moves.flatMap(arrivesFrom)), neighbours: tables(neighbours) },
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
