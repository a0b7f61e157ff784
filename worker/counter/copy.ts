/** The copy of a count in KV: cheap and near the caller, but some seconds old. */
import * as v from "valibot";

/** The shortest time to live that KV takes. */
const MIN_KV_LIFE_MS = 60_000;
/** The shortest time that KV keeps a copy at the edge. */
const EDGE_CACHE_SECONDS = 30;

/** A count, and when it was the newest (ms since the epoch). */
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

/** Stores a copy that expires when no more are wanted (`until`), so that no old copy stays behind. */
export async function writeCopy(kv: KVNamespace, { name }: DurableObjectId, copy: Copy, until: number): Promise<void> {
  if (name === undefined) throw new Error("A counter is addressed by name; this call came by its id");
  const expiration = Math.ceil(Math.max(until, copy.asOf + MIN_KV_LIFE_MS) / 1000) + 1;
  await kv.put(name, JSON.stringify(copy), { expiration });
}
