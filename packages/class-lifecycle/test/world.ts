/**
 * A plain model of an account: what each Worker serves, what is provisioned, and who waits for what. A deployment is
 * judged by the local account's rules, which were written apart from the planner's.
 */
import type { Action, ExportEntry, Namespace } from "@durable-stack/local-account/rules";
import { reconcile } from "@durable-stack/local-account/rules";
import { expect } from "vitest";
import { isError } from "../src/findings.ts";
import type { Change, Migration } from "../src/history.ts";
import { lint } from "../src/lint.ts";
import { hashes } from "../src/lock.ts";
import type { Move } from "../src/moves.ts";
import { type Plan, plan } from "../src/plan.ts";
import { type LiveClass, type LiveClasses, replay } from "../src/replay.ts";
import type { AwaitedElsewhere, Live, Situation } from "../src/situation.ts";

/** A Worker: its repository's history, and what it serves. */
interface Worker {
  readonly history: readonly Migration[];
  readonly live: Live;
}
interface Pending extends AwaitedElsewhere {
  readonly id: string;
}

export interface World {
  readonly workers: ReadonlyMap<string, Worker>;
  readonly namespaces: readonly Namespace[];
  readonly pending: readonly Pending[];
}

/** What a stack's config says. */
export type Allowed = Partial<Pick<Situation, "allowDestroy" | "allowTransferLoss">>;

const NOTHING: Live = { classes: undefined, complete: true, step: undefined };
const UNKNOWN: Worker = { history: [], live: NOTHING };

export const EMPTY: World = { workers: new Map(), namespaces: [], pending: [] };
export const workerOf = ({ workers }: World, name: string): Worker => workers.get(name) ?? UNKNOWN;
const withWorker = (world: World, name: string, more: Partial<Worker>): World => ({
  ...world,
  workers: new Map(world.workers).set(name, { ...workerOf(world, name), ...more }),
});

export const provisioned = ({ namespaces }: World, worker: string): ReadonlySet<string> =>
  new Set(namespaces.flatMap(({ workerId, className }) => (workerId === worker ? [className] : [])));

/** The world after a step with this change was appended to a Worker's history; undefined where lint refuses it. */
export function append(world: World, worker: string, change: Change): World | undefined {
  const { history } = workerOf(world, worker);
  const name = `${String(history.length + 1).padStart(4, "0")}-step`;
  const longer = [...history, { name, changes: [change] }];
  return lint(longer).some(isError) ? undefined : withWorker(world, worker, { history: longer });
}

/** The world without a Worker, its objects and its repository. */
export const without = ({ workers, namespaces, pending }: World, worker: string): World => ({
  workers: new Map([...workers].filter(([name]) => name !== worker)),
  namespaces: namespaces.filter(({ workerId }) => workerId !== worker),
  pending: pending.filter((one) => one.worker !== worker),
});

/** The classes that a Worker serves and still waits for. */
const stillWaiting = (world: World, worker: string): readonly AwaitedElsewhere[] =>
  [...(workerOf(world, worker).live.classes ?? [])].flatMap(([className, { fromWorker }]) =>
    fromWorker === undefined || provisioned(world, worker).has(className) ? [] : [{ className, fromWorker, worker }],
  );

/** What infra/plan reads of an account before it plans the release of the first `end` steps. */
function situationOf(world: World, worker: string, end?: number, allowed: Allowed = {}): Situation {
  const { history, live } = workerOf(world, worker);
  const migrations = history.slice(0, end);
  const alive = replay(migrations);
  const others = [...world.workers.keys()].filter((name) => name !== worker);
  const held = (name: string): LiveClasses => {
    const waiting = new Set(stillWaiting(world, name).map(({ className }) => className));
    return new Map([...(workerOf(world, name).live.classes ?? [])].filter(([className]) => !waiting.has(className)));
  };
  return {
    migrations,
    worker,
    stack: "test",
    live,
    code: [...alive.keys()],
    // Whoever binds to a class does so once its objects are here.
    bound: [...alive].flatMap(([name, { fromWorker }]) =>
      fromWorker === undefined || provisioned(world, worker).has(name) ? [name] : [],
    ),
    references: [],
    others: new Map(
      others
        .filter((name) => workerOf(world, name).live.classes)
        .map((name): [string, LiveClasses] => [name, held(name)]),
    ),
    awaited: others.flatMap((name) => stillWaiting(world, name)),
    provisioned: provisioned(world, worker),
    adopt: false,
    allowDestroy: [],
    allowTransferLoss: [],
    rollout: 100,
    ...allowed,
  };
}

let ids = 0;

/** Deploys the first `end` steps of a Worker's history; or the plan that refuses it. */
export function deploy(world: World, worker: string, end?: number, allowed: Allowed = {}): World | { refused: Plan } {
  const situation = situationOf(world, worker, end, allowed);
  const planned = plan(situation);
  if (planned.errors.length) return { refused: planned };
  const declared = Object.entries(planned.exports).map(
    ([name, { renamedTo, transferredTo, transferFrom, ...entry }]): [string, ExportEntry] => [
      name,
      {
        ...entry,
        ...(renamedTo !== undefined && { renamed_to: renamedTo }),
        ...(transferredTo !== undefined && { transferred_to: transferredTo }),
        ...(transferFrom !== undefined && { transfer_from: transferFrom }),
      },
    ],
  );
  const code = new Set(situation.code);
  const { actions, errors } = reconcile({
    worker,
    declared: Object.fromEntries(declared),
    code: { classes: code, durableObjects: code },
    namespaces: world.namespaces.filter(({ workerId }) => workerId === worker),
    transfers: world.pending.map(({ id, className, fromWorker, worker: target }) => ({
      id,
      workerId: target,
      target,
      className,
      from: fromWorker,
    })),
    namespacesOf: (name) =>
      workerOf(world, name).live.classes && world.namespaces.filter(({ workerId }) => workerId === name),
    boundBy: () => [],
    plan: "paid",
  });
  expect(errors, "what the plan allows, the account takes").toEqual([]);
  expect(planned.moves.flatMap(saidOf).sort(), "the moves are what the exports do").toEqual(
    actions.flatMap((action) => doneBy(action, world)).sort(),
  );
  for (const { className } of lostBy(actions, world))
    expect(situation.allowDestroy, "what is lost was allowed").toContain(className);

  for (const move of planned.moves)
    if (move.kind === "create" && move.lost)
      expect(situation.allowTransferLoss, "what begins without objects was allowed").toContain(move.lost.className);

  const classes = declared
    .filter(([, { state }]) => state === undefined || state === "expecting-transfer")
    .map(([name, { transfer_from }]): [string, LiveClass] => [
      name,
      { storage: "sqlite", ...(transfer_from !== undefined && { fromWorker: transfer_from }) },
    ]);
  const { migrations } = situation;
  const step = { name: planned.to, history: hashes(migrations).at(-1) ?? "" };
  const served = withWorker(world, worker, { live: { classes: new Map(classes), complete: true, step } });
  return actions.reduce((before, action) => applied(before, worker, action), served);
}

const classNamed = ({ namespaces }: World, id: string) => namespaces.find((one) => one.id === id)?.className ?? id;

/** The namespaces that are deleted, or leave this Worker. */
const lostBy = (actions: readonly Action[], world: World) =>
  actions.flatMap((action) =>
    action.do === "delete" || action.do === "transfer" ? [{ className: classNamed(world, action.namespaceId) }] : [],
  );

/** A move in the words of the account's actions. */
function saidOf(move: Move): readonly string[] {
  switch (move.kind) {
    case "keep":
      return [];
    case "create":
      // A class that begins without its objects waits for them no more.
      return [`create ${move.className}`, ...(move.lost ? [`cancel ${move.lost.className}`] : [])];
    case "receive":
      return [`expect ${move.className} from ${move.fromWorker}`];
    case "rename":
      return [`rename ${move.from} to ${move.className}`];
    case "delete":
      return [`delete ${move.className}`];
    case "send":
      return [`transfer ${move.className} to ${move.toWorker}`];
    case "cancel":
      return [`cancel ${move.className}`];
  }
}

function doneBy(action: Action, world: World): string {
  switch (action.do) {
    case "create":
      return `create ${action.className}`;
    case "expect":
      return `expect ${action.className} from ${action.from}`;
    case "rename":
      return `rename ${classNamed(world, action.namespaceId)} to ${action.to}`;
    case "delete":
      return `delete ${classNamed(world, action.namespaceId)}`;
    case "transfer":
      return `transfer ${classNamed(world, action.namespaceId)} to ${action.to}`;
    case "cancel":
      return `cancel ${world.pending.find(({ id }) => id === action.pendingId)?.className}`;
  }
}

function applied(world: World, worker: string, action: Action): World {
  const { namespaces, pending } = world;
  const changed = (id: string, more: Partial<Namespace>) =>
    namespaces.map((one) => (one.id === id ? { ...one, ...more } : one));
  switch (action.do) {
    case "create": {
      const { className, storage } = action;
      const made = { id: `n${++ids}`, workerId: worker, className, storage, transferredFrom: null };
      return { ...world, namespaces: [...namespaces, made] };
    }
    case "delete":
      return { ...world, namespaces: namespaces.filter(({ id }) => id !== action.namespaceId) };
    case "rename":
      return { ...world, namespaces: changed(action.namespaceId, { className: action.to }) };
    case "transfer":
      return {
        ...world,
        namespaces: changed(action.namespaceId, { workerId: action.to, transferredFrom: worker }),
        pending: pending.filter(({ id }) => id !== action.pendingId),
      };
    case "expect": {
      const { className, from: fromWorker } = action;
      return { ...world, pending: [...pending, { id: `p${++ids}`, className, fromWorker, worker }] };
    }
    case "cancel":
      return { ...world, pending: pending.filter(({ id }) => id !== action.pendingId) };
  }
}
