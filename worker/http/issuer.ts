/**
 * Users by a JSON Web Token of the stack's issuer (setting `identity`). The signature is checked with the issuer's
 * public keys, which an isolate keeps. The claim `sub` is the user, and `rolesClaim` names the one with the user's roles.
 */
import { decode, verifyWithJwks } from "hono/utils/jwt/jwt";
import type { JWTPayload } from "hono/utils/jwt/types";
import * as v from "valibot";
import type { Identity } from "../../contract/identity.ts";
import { DAY_MS, MINUTE_MS } from "../objects/units.ts";
import type { Caller } from "../who.ts";
import { refusal } from "./problem.ts";
import { UserId } from "./user-id.ts";

/** Header, claims and signature. The header is a JSON object, so its base64url begins with `eyJ`. */
const FORM = /^eyJ[\w-]*\.[\w-]+\.[\w-]+$/;
/** Signatures that need a private key. With other algorithms, whoever can check a token can also forge one. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"] as const;
/** The types of ID tokens and of access tokens (RFC 9068). */
const TYPES = ["JWT", "at+jwt"];

const FRESH_MS = 10 * MINUTE_MS;
/** How long the keys are used while their address does not answer. */
const STALE_MS = DAY_MS;
/** How often to fetch the keys because a token names an unknown one. Rarely, because anybody can write such a token. */
const AGAIN_MS = MINUTE_MS / 2;
const DEADLINE_MS = 5_000;
const MAX_BYTES = 256 * 1_024;

/** A member of a public key of RSA or of a curve (RFC 7518, 6; RFC 8037, 2). */
const part = v.exactOptional(v.string());
const Key = v.object({ kid: v.string(), kty: v.string(), alg: part, n: part, e: part, crv: part, x: part, y: part });
const KeySet = v.object({ keys: v.array(v.unknown()) });
const Claims = v.object({ sub: UserId, exp: v.number() });

interface Keys {
  readonly keys: readonly v.InferOutput<typeof Key>[];
  readonly fetched: number;
}
const known = new Map<string, Keys>();
/** When the keys of each address were last asked for. */
const asked = new Map<string, number>();
/** The addresses whose answer is awaited. A request that is cut off leaves its own here, so it counts for DEADLINE_MS. */
const awaited = new Set<string>();

/** Whether this has the form of a JSON Web Token. No other token of ours has it. */
export const looksIssued = (token: string): boolean => FORM.test(token);

/**
 * The user of a token, until it expires; undefined if it is invalid: forged, expired, of another issuer, for another
 * audience, or with a `sub` that cannot be a user's id here. 503 if the issuer's keys cannot be fetched.
 */
export async function userOf(identity: Identity, token: string): Promise<Caller | undefined> {
  const header = headerOf(token);
  if (header?.kid === undefined) return undefined;
  const keys = await keysFor(identity.jwksUrl, header.kid);
  // The type is optional, and many tokens have none (RFC 7519, 5.1).
  const issued = await claimsOf(identity, token, keys, header.typ === undefined ? {} : { typ: TYPES });
  const claims = v.safeParse(Claims, issued);
  // Hono does not refuse a token without an expiry.
  if (!claims.success) return undefined;
  const { sub, exp } = claims.output;
  const { rolesClaim } = identity;
  const roles = rolesClaim === undefined ? [] : rolesIn(issued?.[rolesClaim]);
  return { kind: "user", id: sub, until: exp * 1_000, ...(roles.length > 0 && { roles }) };
}

/** The roles in a claim: a list, or a text with spaces between them. Of anything else, none. */
function rolesIn(claim: unknown): readonly string[] {
  const roles: readonly unknown[] = typeof claim === "string" ? claim.split(" ") : Array.isArray(claim) ? claim : [];
  return roles.filter((role): role is string => typeof role === "string" && role !== "");
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
): Promise<JWTPayload | undefined> {
  try {
    return await verifyWithJwks(token, {
      keys: [...keys],
      allowedAlgorithms: ALGORITHMS,
      // Clocks differ by a second or two, so `iat` may seem to be in the future; `nbf` and `exp` say enough.
      verification: { iss: issuer, aud: audience, iat: false, ...type },
    });
  } catch {
    return undefined;
  }
}

/** The issuer's keys, fetched again if none has this id. */
async function keysFor(url: string, kid: string): Promise<Keys["keys"]> {
  const now = Date.now();
  const latest = known.get(url);
  const age = latest ? now - latest.fetched : Number.POSITIVE_INFINITY;
  // Older ones are as good as none: one of them may have been withdrawn.
  const kept = age < STALE_MS ? latest : undefined;
  const isHere = kept?.keys.some((key) => key.kid === kid) === true;
  const sinceAsked = now - (asked.get(url) ?? 0);
  const mayAsk = !kept || sinceAsked > AGAIN_MS;
  // Another request fetches them, and they may have this one.
  if (kept && !isHere && awaited.has(url) && sinceAsked < DEADLINE_MS) throw notYet();
  if (kept && (!mayAsk || (isHere && age < FRESH_MS))) return kept.keys;
  asked.set(url, now);
  awaited.add(url);
  try {
    const keys = await fetchKeys(url);
    known.set(url, { keys, fetched: now });
    return keys;
  } catch (error) {
    console.error(JSON.stringify({ identity: "the issuer's keys cannot be fetched", url, error: String(error) }));
    if (kept) return kept.keys;
    throw refusal("unavailable", "The issuer's keys cannot be fetched at the moment; try again in a few seconds", {
      headers: { "Retry-After": "5" },
    });
  } finally {
    awaited.delete(url);
  }
}

const notYet = () => refusal("unavailable", "The issuer's keys are being fetched; try again in a second");

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
