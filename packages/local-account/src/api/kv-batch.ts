/** Cloudflare's limits for the pairs of a bulk write, checked before any is written. Pure. */
import { invalid } from "../errors.ts";
import type { KvPair } from "../runtime/storage.ts";

const MOST_PAIRS = 10_000;
const MOST_KEY_BYTES = 512;
const MOST_VALUE_BYTES = 25 * 1_024 * 1_024;
const MOST_METADATA_BYTES = 1_024;
const LEAST_TTL_SECONDS = 60;

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

/** The pairs as the runtime writes them. `now` is in milliseconds. @throws ApiError 10021 with the key and the limit. */
export function checked(pairs: readonly SentPair[], now: number): KvPair[] {
  if (pairs.length > MOST_PAIRS) throw invalid(`a bulk write takes ${MOST_PAIRS} pairs, not ${pairs.length}.`);
  return pairs.map((pair) => {
    const { key, value, base64 = false } = pair;
    const refuse = (what: string) => invalid(`key '${key}': ${what}.`);
    if (key === "." || key === ".." || Buffer.byteLength(key) > MOST_KEY_BYTES)
      throw refuse(`a key has up to ${MOST_KEY_BYTES} bytes, and is not '.' or '..'`);
    if (Buffer.byteLength(value, base64 ? "base64" : "utf8") > MOST_VALUE_BYTES)
      throw refuse(`a value has up to ${MOST_VALUE_BYTES} bytes`);
    const metadata = pair.metadata == null ? undefined : JSON.stringify(pair.metadata);
    if (metadata !== undefined && Buffer.byteLength(metadata) > MOST_METADATA_BYTES)
      throw refuse(`metadata has up to ${MOST_METADATA_BYTES} bytes`);
    const seconds = pair.expiration_ttl !== undefined ? Math.floor(now / 1_000) + pair.expiration_ttl : pair.expiration;
    if (seconds !== undefined && seconds < Math.floor(now / 1_000) + LEAST_TTL_SECONDS)
      throw refuse(`a key expires ${LEAST_TTL_SECONDS} seconds from now, or later`);
    return { key, value, base64, expiration: seconds === undefined ? undefined : seconds * 1_000, metadata };
  });
}
