/**
 * API keys: what they look like, and where the KV namespace READS has the record of one. `npm run keys` writes what the
 * Worker reads. Only the SHA-256 of a key is stored: who reads the store cannot use a key.
 */
import * as v from "valibot";
import { newSecret, sha256 } from "./secrets.ts";

/** Before the SHA-256 (hex) of a key. */
export const API_KEY_PREFIX = "api-key:";

/** Random bytes of a key, written as base64url. */
const RANDOM_BYTES = 32;
const FORM = /^ds_[A-Za-z0-9_-]{43}$/;

/** The record of a key: whose it is, and what it may do (worker/who.ts, grants). The key itself is nowhere. */
export const ApiKey = v.object({
  id: v.pipe(v.string(), v.regex(/^[a-z0-9-]{1,64}$/)),
  grants: v.optional(v.array(v.string()), []),
});

/** A new key. */
export const newApiKey = (): string => `ds_${newSecret(RANDOM_BYTES)}`;

/** Where KV has the record of a key; undefined for what cannot be one. */
export async function storedAt(key: string): Promise<string | undefined> {
  return FORM.test(key) ? API_KEY_PREFIX + (await sha256(key)) : undefined;
}
