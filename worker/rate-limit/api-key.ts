/**
 * What an API key looks like and where it is kept: `npm run keys` (infra/keys.ts) writes what the Worker reads here.
 * Only the SHA-256 is stored: who reads the store cannot use a key.
 */

/** Before the SHA-256 (hex) of a key, in the KV namespace READS. */
export const API_KEY_PREFIX = "api-key:";

/** `ds_` and 256 random bits as base64url. */
const FORM = /^ds_[A-Za-z0-9_-]{43}$/;

/** Where KV has the record of a key; undefined for what cannot be one. */
export async function storedAt(key: string): Promise<string | undefined> {
  if (!FORM.test(key)) return undefined;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  return API_KEY_PREFIX + Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
