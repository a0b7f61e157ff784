/** Work on many things, a few at a time: a rehearsal is not a load test. */

/** At most so many calls at once. */
const LANES = 8;

/** Works on all of `items`, a few at a time, and returns the results in their order. */
export async function inLanes<T, R>(items: readonly T[], work: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const left = items.entries();
  const lane = async () => {
    for (const [index, item] of left) results[index] = await work(item, index);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return results;
}
