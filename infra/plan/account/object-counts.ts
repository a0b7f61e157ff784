/** How many objects a Worker's classes have. */
import { type Move, tombstoneOf } from "@durable-stack/class-lifecycle";
import type { ObjectCount, Reads } from "./reads.ts";

interface Counts {
  /** By the name of the class that is live. */
  readonly objects: ReadonlyMap<string, ObjectCount>;
  /** Whether any class has objects; true where nobody can tell. */
  readonly holdsData: boolean;
}

/** Counts the objects of classes that change, or of all where `everything` is asked for. */
export async function countObjects(
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
