/**
 * Users by a JSON Web Token of the stack's issuer (setting `identity`). The signature is checked by the issuer's public
 * keys, which an isolate keeps; the token's user is its claim `sub`.
 */
import { decode, verifyWithJwks } from "hono/utils/jwt/jwt";
import * as v from "valibot";
import type { Identity } from "../../contract/identity.ts";
import type { Caller } from "../who.ts";
import { refusal } from "./problem.ts";
import { UserId } from "./user-id.ts";

/** Header, claims and signature; a header is a JSON object, so in base64url it begins with `eyJ`. */
const FORM = /^eyJ[\w-]*\.[\w-]+\.[\w-]+$/;
/** Only with a private key can these be made. With the others, who can check could also forge. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"] as const;
/** Of ID tokens, and of access tokens (RFC 9068). */
const TYPES = ["JWT", "at+jwt"];

const MINUTE_MS = 60_000;
const FRESH_MS = 10 * MINUTE_MS;
/** Keys are good for so long while their address does not answer. */
const STALE_MS = 24 * 60 * MINUTE_MS;
/** A token may name a key that is newer than what we have; anybody can write such a token, so we look rarely. */
const AGAIN_MS = MINUTE_MS / 2;
const DEADLINE_MS = 5_000;
const MAX_BYTES = 256 * 1_024;

/** What a public key of RSA or of a curve is made of (RFC 7518, 6; RFC 8037, 2). */
const part = v.exactOptional(v.string());
const Key = v.object({ kid: v.string(), kty: v.string(), alg: part, n: part, e: part, crv: part, x: part, y: part });
const KeySet = v.object({ keys: v.array(v.unknown()) });
const Claims = v.object({ sub: UserId, exp: v.number() });

interface Keys {
  readonly keys: readonly v.InferOutput<typeof Key>[];
  readonly fetched: number;
}
const known = new Map<string, Keys>();
/** When the keys of an address were last asked for. */
const asked = new Map<string, number>();

/** Whether this can only be a JSON Web Token. */
export const looksIssued = (token: string): boolean => FORM.test(token);

/**
 * The user of a token, until it expires; undefined where it is not good: forged, over, of another issuer, for another
 * audience, or for somebody whose id cannot be a user's here. 503 where the issuer's keys cannot be had.
 */
export async function userOf(identity: Identity, token: string): Promise<Caller | undefined> {
  const header = headerOf(token);
  if (header?.kid === undefined) return undefined;
  const keys = await keysFor(identity.jwksUrl, header.kid);
  // A token that names no type is a good one, as many are (RFC 7519, 5.1).
  const claims = v.safeParse(
    Claims,
    await claimsOf(identity, token, keys, header.typ === undefined ? {} : { typ: TYPES }),
  );
  // Hono leaves out the check of an expiry that is not there.
  if (!claims.success) return undefined;
  return { kind: "user", id: claims.output.sub, until: claims.output.exp * 1_000 };
}

function headerOf(token: string): ReturnType<typeof decode>["header"] | undefined {
  try {
    return decode(token).header;
  } catch {
    return undefined;
  }
}

async function claimsOf(
  { issuer, audience }: Identity,
  token: string,
  keys: Keys["keys"],
  type: { readonly typ?: string[] },
): Promise<unknown> {
  try {
    return await verifyWithJwks(token, {
      keys: [...keys],
      allowedAlgorithms: ALGORITHMS,
      // Clocks differ by a second or two: when it was issued says nothing that `nbf` and `exp` do not.
      verification: { iss: issuer, aud: audience, iat: false, ...type },
    });
  } catch {
    return undefined;
  }
}

/** The issuer's keys, with that of this id if it has one. */
async function keysFor(url: string, kid: string): Promise<Keys["keys"]> {
  const now = Date.now();
  const kept = known.get(url);
  const age = kept ? now - kept.fetched : Number.POSITIVE_INFINITY;
  const isHere = kept?.keys.some((key) => key.kid === kid) === true;
  const mayAsk = !kept || now - (asked.get(url) ?? 0) > AGAIN_MS;
  if (kept && (!mayAsk || (isHere && age < FRESH_MS))) return kept.keys;
  asked.set(url, now);
  try {
    const keys = await fetchKeys(url);
    known.set(url, { keys, fetched: now });
    return keys;
  } catch (error) {
    console.error(JSON.stringify({ identity: "the issuer's keys cannot be had", url, error: String(error) }));
    if (kept && age < STALE_MS) return kept.keys;
    throw refusal("unavailable", "The issuer's keys cannot be had at the moment; try again in a few seconds", {
      headers: { "Retry-After": "5" },
    });
  }
}

async function fetchKeys(url: string): Promise<Keys["keys"]> {
  const response = await fetch(url, {
    headers: { Accept: "application/json" },
    signal: AbortSignal.timeout(DEADLINE_MS),
    cf: { cacheTtl: AGAIN_MS / 1_000, cacheEverything: true },
  });
  if (!response.ok) throw new Error(`status ${response.status}`);
  const text = await response.text();
  if (text.length > MAX_BYTES) throw new Error(`more than ${MAX_BYTES} characters`);
  const { keys } = v.parse(KeySet, JSON.parse(text));
  return keys.flatMap((key) => {
    const read = v.safeParse(Key, key);
    return read.success ? [read.output] : [];
  });
}
