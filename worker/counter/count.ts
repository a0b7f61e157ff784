/** A count: an integer from 0 to 2^53 - 1, the largest that SQLite and JavaScript agree on. */
export const MAX_COUNT = Number.MAX_SAFE_INTEGER;

/** `count + by`, kept inside the range. As in the article (README.md), a counter does not go below zero. */
export function add(count: number, by: number): number {
  return Math.min(Math.max(count + by, 0), MAX_COUNT);
}
