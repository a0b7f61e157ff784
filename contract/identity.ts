/** Users of another system: the issuer of JSON Web Tokens (RFC 7519) whose users are users of the stack. */
import * as v from "valibot";

const text = (what: string, max: number) =>
  v.pipe(
    v.string("must be text"),
    v.nonEmpty(`must be ${what}`),
    v.maxLength(max, `must have at most ${max} characters`),
  );

/** Somebody could replace keys that come over plain http; loopback is safe. */
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

function isSafe(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.includes(url.hostname)));
}

export const Identity = v.object({
  /** The claim `iss`, character for character: many issuers end in a slash. */
  issuer: text("the issuer's name, as in the claim iss", 512),
  /** The claim `aud` must have this name: other tokens are meant for other APIs. */
  audience: text("this API's name at the issuer, as in the claim aud", 512),
  /** Where the issuer's public keys are (RFC 7517). */
  jwksUrl: v.pipe(
    v.string("must be text"),
    v.check(isSafe, "must be an address like https://login.example.com/.well-known/jwks.json"),
  ),
  /** The claim with a user's roles: a list of them, or one text with spaces between them, as in `scope`. */
  rolesClaim: v.optional(text("the claim that has a user's roles", 512)),
});
export type Identity = v.InferOutput<typeof Identity>;
