/** Where the classes of transfers are: who waits to receive one, who has its objects, and what has come here. */
import type { AwaitedElsewhere, Live, LiveClasses, Move, Situation } from "@durable-stack/class-lifecycle";
import { tombstoneOf } from "@durable-stack/class-lifecycle";
import { readClasses, type Workers } from "./worker.ts";

/** How many Workers are read at once: an account may have hundreds, and the API counts requests. */
const AT_ONCE = 8;

/**
 * Classes that other Workers wait to receive: from `workerName` where one leaves it, from the sender where one is
 * received. All Workers are asked, for any may wait. Undefined where no move needs it; then nobody is asked.
 */
export async function awaitedByOthers(
  workers: Workers,
  workerName: string,
  moves: readonly Move[],
): Promise<Situation["awaited"]> {
  const senders = new Set(moves.flatMap((move) => senderIn(move, workerName)));
  if (senders.size === 0) return undefined;
  const names = workers.list.flatMap(({ name, deployedOn }) => (deployedOn && name !== workerName ? [name] : []));
  const awaited: AwaitedElsewhere[] = [];
  for (let from = 0; from < names.length; from += AT_ONCE) {
    const found = await Promise.all(names.slice(from, from + AT_ONCE).map((name) => waitsFor(workers, name, senders)));
    awaited.push(...found.flat());
  }
  return awaited;
}

/** The Worker that has a class which the move gives up or takes over. */
function senderIn(move: Move, workerName: string): readonly string[] {
  if (move.kind === "receive") return [move.fromWorker];
  return tombstoneOf(move) === undefined ? [] : [workerName];
}

/** Classes of a Worker that other Workers wait to receive, whatever becomes of it: where it is renamed, or goes. */
export const awaitedFrom = async (
  workers: Workers,
  workerName: string,
  classes: LiveClasses | undefined,
): Promise<readonly AwaitedElsewhere[]> => {
  // They are asked as where a step removes all.
  const moves = [...(classes?.keys() ?? [])].map((className) => ({ kind: "delete" as const, className }));
  return (await awaitedByOthers(workers, workerName, moves)) ?? [];
};

/** The classes of `senders` that have not come to `worker` yet, though it waits for them. */
async function waitsFor(
  workers: Workers,
  worker: string,
  senders: ReadonlySet<string>,
): Promise<readonly AwaitedElsewhere[]> {
  const served = await readClasses(workers, worker);
  const theirs = new Map(
    [...served].filter(([, { fromWorker }]) => fromWorker !== undefined && senders.has(fromWorker)),
  );
  const waiting = await stillWaiting(workers, worker, theirs);
  return [...waiting].map(([className, fromWorker]) => ({ className, fromWorker, worker }));
}

/** Those of a Worker's `classes` whose objects have not come, with the Worker that is to send them. */
async function stillWaiting(
  workers: Workers,
  worker: string,
  classes: LiveClasses,
): Promise<ReadonlyMap<string, string>> {
  // A version goes on saying that it waits, after the objects have come.
  const come = await provisionedOf(workers, worker, classes);
  return new Map(
    [...classes].flatMap(([name, { fromWorker }]): [string, string][] =>
      fromWorker === undefined || come?.has(name) ? [] : [[name, fromWorker]],
    ),
  );
}

/** The classes of other Workers that these have objects of: not those that they wait for themselves. */
export async function heldBy(
  workers: Workers,
  others: ReadonlyMap<string, Pick<Live, "classes">>,
): Promise<Situation["others"]> {
  const held = [...others].map(async ([worker, { classes = new Map() }]): Promise<[string, LiveClasses]> => {
    const waiting = await stillWaiting(workers, worker, classes);
    return [worker, new Map([...classes].filter(([name]) => !waiting.has(name)))];
  });
  return new Map(await Promise.all(held));
}

/**
 * The classes of a Worker that have a namespace, where `classes` of it wait for their objects. Undefined where none
 * does, or nobody can tell.
 */
export const provisionedOf = async (
  workers: Workers,
  worker: string,
  classes: LiveClasses | undefined,
): Promise<Situation["provisioned"]> =>
  [...(classes?.values() ?? [])].some(({ fromWorker }) => fromWorker !== undefined)
    ? provisionedIn(workers, worker)
    : undefined;

async function provisionedIn({ reads }: Workers, worker: string): Promise<Situation["provisioned"]> {
  const namespaces = await reads.namespaces(worker);
  return namespaces && new Set(namespaces.flatMap(({ class: name }) => (name === undefined ? [] : [name])));
}
