/**
 * What the next deployment of a release to a stack will do: reads what is live, plans, and reads what the plan's
 * readers want to know besides. The program and `npm run migrations -- plan` both show and obey this one.
 */
import { everNamed, type Plan } from "@durable-stack/class-lifecycle";
import type { Release } from "../../release/read.ts";
import { recordedCommit } from "../../release/source.ts";
import type { PublicSettings } from "../../stack/config.ts";
import { LOGICAL } from "../../stack/declared.ts";
import { type StorageOfStack, storageOf } from "../../stack/extras.ts";
import { mayLoseData } from "../../stack/pull-stack.ts";
import { countObjects } from "../account/object-counts.ts";
import type { ObjectCount } from "../account/reads.ts";
import { type AddressPlan, addressPlan } from "../addresses/changes.ts";
import { type BindingChange, bindingChanges, givenBindings, hasOfProgram } from "../claims/bindings.ts";
import { type Claims, claimsOf } from "../claims/claims.ts";
import type { OwnWorker } from "../claims/own-worker.ts";
import { type LiveWorker, servingBindings } from "../live/worker.ts";
import type { Finding } from "../rules/codes.ts";
import { toldTo } from "../rules/codes.ts";
import { type SchemaPlan, schemaPlan } from "../rules/schema.ts";
import { type NotDeclared, notDeclared, notDeclaredAsBound, usedBy } from "../storage/in-state.ts";
import { isEmpty } from "../storage/kinds.ts";
import { filledBuckets, isDeleted, type Left, lossOf, storageLeft, unusedAllowances } from "../storage/left.ts";
import type { NextDeployment } from "../traffic/next.ts";
import { findingsOf, type Told } from "./findings.ts";
import { type Judgement, judged } from "./judgement.ts";
import { type Looked, type Looking, look } from "./look.ts";

export interface Preview extends Judgement, NextDeployment {
  readonly settings: PublicSettings;
  readonly release: Release;
  readonly live: LiveWorker;
  /** Which Worker of the account is the stack's. */
  readonly ownWorker: OwnWorker;
  /** The names of the stack's resources, and what of them is taken over. */
  readonly claims: Claims;
  readonly plan: Plan;
  /** Findings that ended the search for others; empty: it was made to its end. */
  readonly ended: readonly Finding[];
  /** The commit that the version names: of the first build with these bytes, as long as its version is kept. */
  readonly source: { readonly commit: string | undefined; readonly committed: string | undefined };
  /** The mark of the stack's secrets, which the version records; undefined: whoever asks does not know them. */
  readonly secrets: string | undefined;
  /** How the tables of the release stand to those of the objects. */
  readonly schema: SchemaPlan;
  readonly addresses: AddressPlan;
  /** Whether the state has cron triggers, which may be none. */
  readonly hadCrons: boolean;
  /**
   * Of bindings beside those of the program; none where the Worker is new, or taken over: then all are told of. None
   * either where the release gets no traffic.
   */
  readonly bindings: readonly BindingChange[];
  /** Whether bindings may come or go of which nothing is known here, because only the program knows them. */
  readonly unknownBindings: boolean;
  /** Storage that goes with all that is in it, because no binding asks for it any more. */
  readonly deleted: readonly Left[];
  /** Objects of classes that change, by the name that is live, where the API gives them. */
  readonly objects: ReadonlyMap<string, ObjectCount>;
}

interface PreviewArgs extends Looking, Told {
  /** The mark of the stack's secrets, which may still be made; undefined: they are not known here. */
  readonly secrets?: string | Promise<string>;
  /** Where the names of the program's bindings are not known: whether it may add any. */
  readonly mayAdd?: boolean;
}

/** Reads the stack's account and plans the way of `release` into it. Sends nothing. */
export async function previewOf(args: PreviewArgs): Promise<Preview> {
  const { settings, release, known } = args;
  const { stack } = settings;
  const secrets = await args.secrets;
  const looked = await look({ ...args, secrets });
  const { ownWorker, live, plan, next } = looked;
  const { besides } = looked.reads;
  const { kept, back, deploy } = next;
  const { traffic } = deploy;
  const { objects, holdsData } = await countObjects(besides, ownWorker.name, plan.moves, next.hasOtherTable);
  const schema = schemaPlan({ stack, release, inUse: live.schemas, moves: plan.moves, share: traffic.release });
  const storage = storageOf(release, settings);
  const claims = await claimsOf({
    reads: looked.reads,
    settings,
    ownWorker,
    live,
    known,
    storage,
    adopts: plan.adopts,
  });
  const left = await leftOf(args, looked, storage);
  const deleted = left.filter((one) => isDeleted(settings, one));
  const filled = await filledOf(args, looked, left);
  const { all, always, ended } = await findingsOf(args, {
    looked,
    claims,
    schema,
    storage,
    left: leftFindings(args, left, { storage, filled }),
    filled: filledBuckets(settings, filled),
    holdsData,
  });
  const { changesLifecycle } = plan;
  return {
    settings,
    release,
    live,
    ownWorker,
    claims,
    plan,
    ended,
    source: kept ?? { commit: recordedCommit(release), committed: release.committed ?? undefined },
    ...deploy,
    secrets,
    schema,
    hadCrons: known?.get("WorkersCronTrigger", LOGICAL.crons) !== undefined,
    addresses: await addressPlan({ reads: besides, settings, ownWorker, claims, known, traffic }),
    ...bindingsOf(args, looked, claims, deleted),
    deleted,
    objects,
    ...judged(all, always, back && { back, stack, release, traffic, changesLifecycle }),
  };
}

/** Storage that a binding asked for, and what is bound to it. */
type OfStack = Left & Pick<NotDeclared, "kind" | "id" | "jurisdiction">;

/** Storage for bindings that the release has no more. */
async function leftOf(
  { settings, known }: PreviewArgs,
  { reads: { besides: reads }, live, next }: Looked,
  storage: readonly StorageOfStack[],
): Promise<readonly OfStack[]> {
  const left = known ? notDeclared(known, storage) : await notDeclaredAsBound({ reads, settings, live }, storage);
  return usedBy(next.stable, left);
}

/**
 * Buckets among it that a release would delete with its first traffic, and that have something in them, as far as the
 * account lets anybody see. A release that serves already is not kept from mending the rest.
 */
async function filledOf(
  { settings, release }: PreviewArgs,
  { reads: { besides }, live, next }: Looked,
  left: readonly OfStack[],
): Promise<readonly OfStack[]> {
  const isFirst = next.deploy.traffic.release > 0 && live.serving.every(({ digest }) => digest !== release.digest);
  const going =
    mayLoseData(settings.stack) || !isFirst
      ? []
      : left.filter((one) => one.kind === "r2" && isDeleted(settings, one) && one.usedBy === undefined);
  const found = await Promise.all(
    going.map(async (one) => ((await isEmpty(one, besides, one.id)) === false ? [one] : [])),
  );
  return found.flat();
}

/** What is told of it, and of what `allowDestroy` names for nothing. */
function leftFindings(
  { settings, migrations, known }: PreviewArgs,
  left: readonly Left[],
  { storage, filled }: { readonly storage: readonly StorageOfStack[]; readonly filled: readonly Left[] },
): readonly Finding[] {
  const declared = new Set(storage.map(({ binding }) => binding));
  // Without the state, only what the release has is surely not deleted.
  const unsure = known ? [] : settings.allowDestroy.filter((name) => !declared.has(name));
  const others = new Set([...everNamed(migrations), ...unsure]);
  const told = left.filter((one) => !filled.includes(one));
  return [...storageLeft(settings, told), ...toldTo(settings.stack, unusedAllowances(settings, left, others))];
}

/** Which bindings come or go, as far as that is known here. */
function bindingsOf(
  { settings, release, program, mayAdd }: PreviewArgs,
  { ownWorker, live, plan, next }: Looked,
  claims: Claims,
  deleted: readonly Left[],
): Pick<Preview, "bindings" | "unknownBindings"> {
  if (next.deploy.traffic.release === 0) return { bindings: [], unknownBindings: false };
  const serving = servingBindings(live);
  const mayChange = (mayAdd === true && live.serving.length > 0) || hasOfProgram(serving, ownWorker.name);
  const unknownBindings = program === undefined && mayChange;
  if (live.digest === undefined || plan.adopts) return { bindings: [], unknownBindings };
  const given = givenBindings(release, settings, claims, program);
  const change = { live: serving, given, all: program !== undefined, worker: ownWorker.name };
  const classes = release.bindings.map(({ binding }) => binding);
  const losses = new Map(deleted.map((one) => [one.binding, lossOf(one)]));
  const bindings = bindingChanges(change, classes).map((one) => {
    const loss = losses.get(one.name);
    return one.kind === "removed" && loss !== undefined ? { ...one, loss } : one;
  });
  return { bindings, unknownBindings };
}
