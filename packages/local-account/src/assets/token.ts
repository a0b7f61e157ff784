/**
 * The tokens of an upload session: JSON Web Tokens, signed with the account's token. One lets a client upload the
 * missing files; the other says that the account has all files, and makes them the assets of a version. Pure.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import * as v from "valibot";

export type Purpose = "upload" | "completion";

const Claims = v.object({ session: v.string(), purpose: v.picklist(["upload", "completion"]), exp: v.number() });

/** `exp` is in seconds, as in RFC 7519; wrangler reads it. */
export type Claims = v.InferOutput<typeof Claims>;

const HEADER = encode({ alg: "HS256", typ: "JWT" });

export function sign(claims: Claims, secret: string): string {
  const signed = `${HEADER}.${encode(claims)}`;
  return `${signed}.${signature(signed, secret).toString("base64url")}`;
}

/** The claims of a token, or what is wrong with it. `now` is in milliseconds. */
export function verify(token: string, purpose: Purpose, secret: string, now: number): Claims | string {
  const [header, payload, mac, ...rest] = token.split(".");
  if (header === undefined || payload === undefined || mac === undefined || rest.length > 0) return "it is no JWT";
  const [expected, actual] = [signature(`${header}.${payload}`, secret), Buffer.from(mac, "base64url")];
  if (expected.length !== actual.length || !timingSafeEqual(expected, actual)) return "this account did not sign it";
  const claims = v.parse(Claims, JSON.parse(Buffer.from(payload, "base64url").toString()));
  if (claims.exp * 1_000 <= now) return "it has expired";
  if (claims.purpose !== purpose)
    return purpose === "upload" ? "it is a completion token: all files are there" : "files of its manifest are missing";
  return claims;
}

const signature = (text: string, secret: string) => createHmac("sha256", secret).update(text).digest();

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
