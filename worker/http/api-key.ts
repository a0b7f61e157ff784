/**
 * API keys, as callers show them (`X-API-Key`). An address that keeps trying keys is not looked up any more: each
 * look-up is billed.
 */
import type { Context } from "hono";
import * as v from "valibot";
import { ApiKey, storedAt } from "../../contract/api-keys.ts";
import { type Bucket, full, type Policy, refill, take } from "../objects/bucket.ts";
import { Memory } from "../objects/memory.ts";
import { addressKey } from "./address.ts";
import type { App } from "./context.ts";

export const API_KEY_HEADER = "X-API-Key";
/** Seconds. With as long in KV's own cache, a revoked key is refused within a minute or two, everywhere. */
const TRUST_SECONDS = 30;
/** Unknown keys that one address may have looked up, in one isolate. */
const GUESSES: Policy = { capacity: 20, periodSeconds: 60 };

type Record = v.InferOutput<typeof ApiKey>;
/** Records of keys by where they are stored; null for those that are not. */
const known = new Memory<Record | null>();
const guesses = new Memory<Bucket>();

/** The network address that a request counts against (address.ts); all without one count as one. */
export function addressOf(c: Context<App>): string {
  return addressKey(c.req.header("CF-Connecting-IP") ?? "") ?? "unknown";
}

/** The record of the key that the caller shows, if it is one of the stack's. */
export async function apiKeyOf(c: Context<App>): Promise<Record | undefined> {
  const key = c.req.header(API_KEY_HEADER);
  const at = key === undefined ? undefined : await storedAt(key);
  if (at === undefined) return undefined;
  const now = Date.now();
  const remembered = known.get(at, now);
  if (remembered !== undefined) return remembered ?? undefined;
  const address = addressOf(c);
  const guess = take(refill(guesses.get(address, now) ?? full(GUESSES, now), GUESSES, now), GUESSES, 1);
  if (!guess.allowed) return undefined;
  // Charged before the look-up, so that guesses that come at once are counted at once.
  guesses.set(address, guess.bucket, now + GUESSES.periodSeconds * 1_000);
  const record = v.safeParse(ApiKey, await c.env.READS.get(at, { type: "json", cacheTtl: TRUST_SECONDS }));
  const found = record.success ? record.output : null;
  known.set(at, found, now + TRUST_SECONDS * 1_000);
  if (found !== null) guesses.delete(address);
  return found ?? undefined;
}
