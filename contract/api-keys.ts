/**
 * API keys: what a key looks like, and where the KV namespace READS has its record. `npm run keys` writes the records,
 * the Worker reads them. Only the SHA-256 of a key is stored, so whoever reads the store cannot use a key.
 */
import * as v from "valibot";
import { newSecret, sha256 } from "./secrets.ts";

/** A record's key in KV: this, then the SHA-256 (hex) of the API key. */
export const API_KEY_PREFIX = "api-key:";

/** Random bytes of a key, written as base64url. */
const RANDOM_BYTES = 32;
const FORM = /^ds_[A-Za-z0-9_-]{43}$/;

/** The record of a key: its owner, and what it may do (worker/who.ts, grants). The key itself is stored nowhere. */
export const ApiKey = v.object({
  id: v.pipe(v.string(), v.regex(/^[a-z0-9-]{1,64}$/)),
  grants: v.optional(v.array(v.string()), []),
});
export type ApiKey = v.InferOutput<typeof ApiKey>;

/** A new key. */
export const newApiKey = (): string => `ds_${newSecret(RANDOM_BYTES)}`;

/** The KV key of an API key's record; undefined for a text that cannot be an API key. */
export async function storedAt(key: string): Promise<string | undefined> {
  return FORM.test(key) ? API_KEY_PREFIX + (await sha256(key)) : undefined;
}
