/**
 * The copy of a count in KV: an old count, cheap and near, for callers who do not need the newest.
 *
 * A counter publishes only while somebody reads this way: a read that finds no copy asks the object, which then
 * publishes for an hour. A counter that nobody reads so costs no KV write and no alarm.
 */
import * as v from "valibot";

/** At least this long between two copies: KV takes one write a second for a key, and each is billed. */
export const PUBLISH_INTERVAL_MS = 5_000;
/** How long after such a read the object goes on publishing. */
export const SHARED_FOR_MS = 60 * 60 * 1000;
/** Demand is not written down more often than this. */
export const DEMAND_STEP_MS = 60_000;
/** KV does not take an expiry nearer than this. */
const MIN_KV_LIFE_MS = 60_000;
/** The shortest time that KV keeps a copy at the edge. */
const EDGE_CACHE_SECONDS = 30;

/** A count and when it was the newest one (ms since the epoch). */
const Copy = v.object({ count: v.number(), asOf: v.number() });
export type Copy = v.InferOutput<typeof Copy>;

/** The copy under an object's name, if there is one and KV answers. */
export async function readCopy(kv: KVNamespace, name: string): Promise<Copy | undefined> {
  const stored = await kv.get(name, { type: "json", cacheTtl: EDGE_CACHE_SECONDS }).catch((error: unknown) => {
    console.warn(JSON.stringify({ class: "counter", event: "copy-unreadable", error: String(error) }));
  });
  const parsed = v.safeParse(Copy, stored);
  return parsed.success ? parsed.output : undefined;
}

/** Publishes a copy that vanishes with the last demand, so that it is never left behind to grow old. */
export async function writeCopy(
  kv: KVNamespace,
  { name }: DurableObjectId,
  copy: Copy,
  sharedUntil: number,
): Promise<void> {
  if (name === undefined) throw new Error("A counter is addressed by name; this one was reached by its id alone");
  const expiration = Math.ceil(Math.max(sharedUntil, copy.asOf + MIN_KV_LIFE_MS) / 1000) + 1;
  await kv.put(name, JSON.stringify(copy), { expiration });
}
