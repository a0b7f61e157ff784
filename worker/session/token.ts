/**
 * Session tokens: `<region>~<secret>`, where the secret is 256 random bits. A session's object is named by the secret's
 * SHA-256, so that nobody can make a token from names, storage or logs.
 */
import type { Region, Regions } from "../../contract/regions.ts";
import { newSecret, sha256 } from "../../contract/secrets.ts";
import { formatId, type Place, parseId } from "../objects/names.ts";

const SECRET_BYTES = 32;
const SECRET = /^[A-Za-z0-9_-]{43}$/;

/** A new token, and the place of its session. */
export async function mintToken(region: Region): Promise<{ token: string; place: Place }> {
  const secret = newSecret(SECRET_BYTES);
  return { token: formatId({ region, id: secret }), place: { region, id: await sha256(secret) } };
}

/** The place of a token's session; undefined if the text does not have a token's form. */
export async function placeOfToken(table: Regions, token: string): Promise<Place | undefined> {
  const parsed = parseId(table, token);
  if ("fault" in parsed || !SECRET.test(parsed.place.id)) return undefined;
  return { region: parsed.place.region, id: await sha256(parsed.place.id) };
}
