/**
 * Who a request counts against: the holder of a verified API key, else the network address.
 *
 * A key that is not known buys nothing: the request counts against its address like any other, and an address that
 * keeps trying keys is not looked up any more. A request without an address shares one bucket with all such.
 */
import type { Context } from "hono";
import * as v from "valibot";
import { ApiKey, storedAt } from "../../contract/api-keys.ts";
import type { App } from "../http/context.ts";
import { type Bucket, full, type Policy, refill, take } from "../objects/bucket.ts";
import { type Place, regionOfCaller } from "../objects/names.ts";
import { stackOf } from "../stack.ts";
import { addressKey } from "./address.ts";
import { Memory } from "./memory.ts";

/** Seconds. With as long in KV's own cache, a revoked key is refused within a minute or two, everywhere. */
const TRUST_SECONDS = 30;
/** Unknown keys that one address may have looked up, in one isolate: each look-up is billed. */
const GUESSES: Policy = { capacity: 20, periodSeconds: 60 };

/** Ids of keys by where they are stored; null for those that are not. */
const known = new Memory<string | null>();
const guesses = new Memory<Bucket>();

/** Where the caller's bucket lives: with the address's part of the world, or at home for a key used from anywhere. */
export async function callerOf(c: Context<App>): Promise<Place> {
  const address = addressKey(c.req.header("CF-Connecting-IP") ?? "") ?? "unknown";
  const key = c.req.header("X-API-Key");
  const id = key === undefined ? undefined : await verified(c.env.READS, key, address);
  const { home, regions } = stackOf(c.env).regions;
  const homeRegion = regions.find((region) => region.id === home);
  if (id !== undefined && homeRegion) return { region: homeRegion, id: `key-${id}` };
  return { region: regionOfCaller(c), id: `ip-${address.replaceAll(":", "-")}` };
}

/** The id of a key, if it is one of the stack's. */
async function verified(store: KVNamespace, key: string, address: string): Promise<string | undefined> {
  const at = await storedAt(key);
  if (at === undefined) return undefined;
  const now = Date.now();
  const remembered = known.get(at, now);
  if (remembered !== undefined) return remembered ?? undefined;
  const tries = refill(guesses.get(address, now) ?? full(GUESSES, now), GUESSES, now);
  const guess = take(tries, GUESSES, 1);
  if (!guess.allowed) return undefined;
  const record = v.safeParse(ApiKey, await store.get(at, { type: "json", cacheTtl: TRUST_SECONDS }));
  const id = record.success ? record.output.id : null;
  known.set(at, id, now + TRUST_SECONDS * 1_000);
  if (id === null) guesses.set(address, guess.bucket, now + GUESSES.periodSeconds * 1_000);
  return id ?? undefined;
}
