/**
 * Anonymous callers: the server makes up a name and signs it. Whoever shows the token again is the same caller, and
 * nobody can forge a name. Nothing is stored.
 */
import { digestOf } from "../../contract/secrets.ts";
import type { Caller } from "../who.ts";

/** `anon.`, the name's 80 random bits in hex, and the HMAC-SHA-256 of them as base64url. */
const TOKEN = /^anon\.([0-9a-f]{20})\.([A-Za-z0-9_-]{43})$/;
const NAME_BYTES = 10;
const BASE64URL = { alphabet: "base64url", omitPadding: true } as const;
/** Keeps these signatures apart from anything else that is signed with the stack's secret. */
const PURPOSE = "durable-stack: names of anonymous callers\n";

/** Whether this has the form of an anonymous caller's token. No other token has it. */
export const looksAnonymous = (token: string): boolean => token.startsWith("anon.");

/** A new anonymous caller. Without an admin token there is no secret to sign with: the name lasts one connection. */
export async function newcomer({ ADMIN_TOKEN }: Env): Promise<Caller> {
  const name = crypto.getRandomValues(new Uint8Array(NAME_BYTES)).toHex();
  const id = `anon-${name}`;
  if (!ADMIN_TOKEN) return { kind: "anonymous", id };
  const signature = await crypto.subtle.sign("HMAC", await keyOf(ADMIN_TOKEN), bytesOf(name));
  return { kind: "anonymous", id, token: `anon.${name}.${new Uint8Array(signature).toBase64(BASE64URL)}` };
}

/** The caller of a token, signed with this secret or the earlier one; undefined if neither has signed it. */
export async function anonymousOf(env: Env, token: string): Promise<Caller | undefined> {
  const [, name, signature] = TOKEN.exec(token) ?? [];
  if (name === undefined || signature === undefined) return undefined;
  for (const secret of [env.ADMIN_TOKEN, env.ADMIN_TOKEN_PREVIOUS]) {
    if (!secret) continue;
    const given = Uint8Array.fromBase64(signature, BASE64URL);
    const right = await crypto.subtle.verify("HMAC", await keyOf(secret), given, bytesOf(name));
    if (right) return { kind: "anonymous", id: `anon-${name}`, token };
  }
  return undefined;
}

/** Signing keys by secret. A stack has two secrets at most. */
const keys = new Map<string, Promise<CryptoKey>>();

function keyOf(secret: string): Promise<CryptoKey> {
  const known = keys.get(secret);
  if (known) return known;
  const made = makeKey(secret);
  keys.set(secret, made);
  return made;
}

async function makeKey(secret: string): Promise<CryptoKey> {
  const digest = await digestOf(PURPOSE + secret);
  return crypto.subtle.importKey("raw", digest, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}

const encoder = new TextEncoder();
const bytesOf = (text: string) => encoder.encode(text);
