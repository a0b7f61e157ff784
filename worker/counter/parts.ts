/**
 * What the objects of one counter know of each other, if it is on several (shards.ts). The first, the home, has the
 * counter's own name; it keeps how many there have been. A part may be negative: only the sum has a floor.
 */
import { type Place, stubAt } from "../objects/names.ts";
import { MAX_COUNT } from "./count.ts";
import { counter } from "./pattern.ts";

/** So many objects take part, from a time on (ms since the epoch). A counter never gets narrower. */
export interface Width {
  readonly width: number;
  readonly from: number;
}

/** A part of a counter, and what the home knows of the others; empty for any other part. */
export interface Part {
  readonly count: number;
  readonly widths: readonly Width[];
}

/** Isolates read the widths anew after this time, and calls with a key change over twice as long after a new one. */
export const WIDTHS_FOR_MS = 60_000;
const ANNOUNCED_FOR_MS = 2 * WIDTHS_FOR_MS;
/** How long a key is looked for at its former part: the day for which it is kept, and an hour. */
const LOOK_BACK_MS = 25 * 60 * 60 * 1_000;

/** How many objects have a part: all that there ever were. */
export const widest = (widths: readonly Width[]): number => widths.at(-1)?.width ?? 1;

/** The widths with another one; the same if there was one as wide. */
export function widened(widths: readonly Width[], width: number, now: number): readonly Width[] {
  return width <= widest(widths) ? widths : [...widths, { width, from: now + ANNOUNCED_FOR_MS }];
}

/** Where a call with a key goes. */
interface PartsOfKey {
  readonly part: number;
  /** Until then, if another width is announced (ms since the epoch). */
  readonly until?: number | undefined;
  /** The parts where it may have gone, or may go while clocks differ. */
  readonly others: readonly number[];
}

/** The parts of a key at a time. */
export function partsOfKey(key: string, widths: readonly Width[], now: number): PartsOfKey {
  const hash = hashOf(key);
  const all = [{ width: 1, from: 0 }, ...widths];
  const current = all.findLastIndex(({ from }) => from <= now);
  const part = hash % (all[current]?.width ?? 1);
  const near = all.filter((_, i) => i >= current || (all[i + 1]?.from ?? 0) > now - LOOK_BACK_MS);
  const others = new Set(near.map(({ width }) => hash % width));
  others.delete(part);
  return { part, until: all[current + 1]?.from, others: [...others] };
}

/** The sum of a counter's parts: never under 0, never over the largest count. */
export function sumOf(parts: Iterable<number>): number {
  let sum = 0;
  for (const part of parts) sum += part;
  return Math.min(Math.max(sum, 0), MAX_COUNT);
}

/** The number of a part, by its object's name; 0 is the home. Ids have no colon, so no counter has such a name. */
export const partOfName = (name: string | undefined): number => Number(name?.split(":")[3] ?? 0);

/** The object of a part: `<environment prefix><region prefix>:counter:<id>:<number>`; the home has the counter's name. */
export const partOf = (env: Env, place: Place, number: number) =>
  number === 0
    ? stubAt(env, counter, place)
    : stubAt(
        env,
        { name: `${counter.name}:${place.id}`, binding: counter.binding },
        { region: place.region, id: String(number) },
      );

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  // The low bits of FNV are the weakest, and the rest of a division by a power of two is these.
  return (hash ^ (hash >>> 15)) >>> 0;
}
