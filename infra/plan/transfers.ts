/** Which Workers of the account wait to receive a class, and whether one that this Worker waits for has come. */
import type { LiveClasses, Move, Situation } from "@durable-stack/class-lifecycle";
import { readClasses, type Workers } from "./live.ts";

/** How many Workers are read at once: an account may have hundreds, and the API counts requests. */
const AT_ONCE = 8;

/**
 * Classes of `workerName` that other Workers wait to receive: of all Workers where a class is deleted or renamed, of the
 * receiver where one is sent. Undefined where no name is given up; then nobody is asked.
 */
export async function awaitedFrom(
  workers: Workers,
  workerName: string,
  moves: readonly Move[],
): Promise<Situation["awaited"]> {
  const givesUp = moves.some(({ kind }) => kind === "delete" || kind === "rename");
  const receivers = new Set(moves.flatMap((move) => (move.kind === "send" ? [move.toWorker] : [])));
  if (!givesUp && receivers.size === 0) return undefined;
  const names = workers.list
    .filter(({ name, deployedOn }) => deployedOn && name !== workerName && (givesUp || receivers.has(name)))
    .map(({ name }) => name);
  const awaited: { className: string; worker: string }[] = [];
  for (let from = 0; from < names.length; from += AT_ONCE) {
    const found = await Promise.all(
      names.slice(from, from + AT_ONCE).map(async (worker) => {
        const classes = await waitsFor(workers, worker, workerName);
        return classes.map((className) => ({ className, worker }));
      }),
    );
    awaited.push(...found.flat());
  }
  return awaited;
}

/** The classes of `sender` that have not come to `worker` yet, though it waits for them. */
async function waitsFor(workers: Workers, worker: string, sender: string): Promise<readonly string[]> {
  const classes = await readClasses(workers, worker);
  const expected = [...classes].flatMap(([name, { fromWorker }]) => (fromWorker === sender ? [name] : []));
  if (expected.length === 0) return [];
  // A version goes on saying that it waits, after the objects have come.
  const come = await provisionedIn(workers, worker);
  return expected.filter((name) => !come?.has(name));
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
