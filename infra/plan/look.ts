/** What the account has of a stack, and the way from there to the end of the history. */
import { forStack, type Migration, type Move, type Plan, plan, type Situation } from "@durable-stack/class-lifecycle";
import type { Release } from "../release/read.ts";
import type { PublicSettings } from "../stack/config.ts";
import { type Identity, identify } from "./identity.ts";
import type { Known } from "./known.ts";
import { type LiveWorker, listWorkers, readLive, readOthers, type Workers } from "./live.ts";
import type { Reads } from "./reads.ts";
import type { RegionSituation } from "./regions.ts";
import { awaitedByOthers, heldBy, provisionedOf } from "./transfers.ts";

export interface Looking {
  readonly reads: Reads;
  readonly settings: PublicSettings;
  readonly release: Release;
  readonly migrations: readonly Migration[];
  /** What the stack's state has; undefined where nobody can read it. */
  readonly known?: Known | undefined;
}

export interface Looked {
  readonly workers: Workers;
  /** Which Worker of the account is the stack's. */
  readonly identity: Identity;
  readonly live: LiveWorker;
  readonly plan: Plan;
  /** Region tables of the Workers that classes come from, and of those that are bound to classes of this one. */
  readonly othersRegions: Pick<RegionSituation, "sources" | "neighbours">;
}

/** Reads what is live, and plans. */
export async function look({ reads, settings, release, migrations, known }: Looking): Promise<Looked> {
  const { stack, allowDestroy, allowTransferLoss, adopt, rollout } = settings;
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
  const tables = (names: readonly string[]) =>
    names.flatMap((worker) => (others.get(worker)?.regions ?? []).map((before) => ({ worker, table: before })));
  return {
    workers,
    identity,
    live,
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
