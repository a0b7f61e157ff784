/** Cloudflare's limits for the pairs of a bulk write, checked before any is written. Pure. */
import { invalid } from "../errors.ts";
import { isBase64 } from "../parse.ts";
import type { KvPair } from "../runtime/storage.ts";

const MOST_PAIRS = 10_000;
export const MOST_KEY_BYTES = 512;
const MOST_VALUE_BYTES = 25 * 1_024 * 1_024;
const MOST_METADATA_BYTES = 1_024;
const LEAST_TTL_SECONDS = 60;

/** workerd takes times of 32 bits: up to January 2038. */
const LAST_SECOND = 2 ** 31 - 1;

interface SentPair {
  readonly key: string;
  readonly value: string;
  readonly base64?: boolean | undefined;
  /** Seconds since the epoch. */
  readonly expiration?: number | undefined;
  /** Seconds from now. Goes before `expiration`. */
  readonly expiration_ttl?: number | undefined;
  readonly metadata?: unknown;
}

/**
 * What the account stores beside a value: when it expires (ms since the epoch), and the metadata as JSON. `now` is in ms
 * too. @throws ApiError 10021 with the key and the limit.
 */
export function checkedPair(
  { key, bytes, metadata, ...sent }: Omit<SentPair, "value" | "base64"> & { readonly bytes: number },
  now: number,
): { readonly expiration: number | undefined; readonly metadata: string | undefined } {
  const refuse = (what: string) => invalid(`key '${key}': ${what}.`);
  checkKey(key);
  if (bytes > MOST_VALUE_BYTES) throw refuse(`a value has up to ${MOST_VALUE_BYTES} bytes`);
  const json = metadata == null ? undefined : JSON.stringify(metadata);
  if (json !== undefined && Buffer.byteLength(json) > MOST_METADATA_BYTES)
    throw refuse(`metadata has up to ${MOST_METADATA_BYTES} bytes`);
  const seconds = Math.floor(now / 1_000);
  const expiration = sent.expiration_ttl !== undefined ? seconds + sent.expiration_ttl : sent.expiration;
  if (expiration !== undefined && expiration < seconds + LEAST_TTL_SECONDS)
    throw refuse(`a key expires ${LEAST_TTL_SECONDS} seconds from now, or later`);
  if (expiration !== undefined && expiration > LAST_SECOND)
    throw refuse(`a key expires at ${LAST_SECOND} (in 2038) at the latest, in seconds since 1970`);
  return { expiration: expiration === undefined ? undefined : expiration * 1_000, metadata: json };
}

/** @throws ApiError 10021 if no pair can have this key. */
export function checkKey(key: string): string {
  if (key === "." || key === ".." || Buffer.byteLength(key) > MOST_KEY_BYTES)
    throw invalid(`key '${key}': a key has up to ${MOST_KEY_BYTES} bytes, and is not '.' or '..'.`);
  return key;
}

/** The pairs as the runtime writes them. `now` is in milliseconds. @throws ApiError 10021 with the key and the limit. */
export function checked(pairs: readonly SentPair[], now: number): KvPair[] {
  if (pairs.length > MOST_PAIRS) throw invalid(`a bulk write takes ${MOST_PAIRS} pairs, not ${pairs.length}.`);
  return pairs.map((pair) => {
    const { key, value, base64 = false, ...rest } = pair;
    if (base64 && !isBase64(value)) throw invalid(`key '${key}': its value is not base64.`);
    const bytes = Buffer.byteLength(value, base64 ? "base64" : "utf8");
    return { key, value, base64, ...checkedPair({ key, bytes, ...rest }, now) };
  });
}
