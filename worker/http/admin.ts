/** The admin token, which shows that a caller is the stack's owner. */
import type { Context } from "hono";
import { digestOf } from "../../contract/secrets.ts";
import type { App } from "./context.ts";

/** The token of an `Authorization: Bearer` header. */
export function bearerToken(c: Context<App>): string | undefined {
  return /^Bearer +([\w.~+/-]+=*)$/i.exec(c.req.header("Authorization") ?? "")?.[1];
}

/** The digests of a stack's admin tokens. */
const digests = new WeakMap<Env, readonly ArrayBuffer[]>();

/**
 * Whether this is the admin token, or the earlier one while that is set. False if the stack has no admin token. Takes
 * the same time however much of a guess is right.
 */
export async function isAdminToken(env: Env, token: string): Promise<boolean> {
  if (!env.ADMIN_TOKEN) return false;
  const given = await digestOf(token);
  const isOne = (await digestsOf(env)).map((digest) => crypto.subtle.timingSafeEqual(given, digest));
  return isOne.includes(true);
}

async function digestsOf(env: Env): Promise<readonly ArrayBuffer[]> {
  const known = digests.get(env);
  if (known) return known;
  // An empty setting counts as not set.
  const tokens = [env.ADMIN_TOKEN, env.ADMIN_TOKEN_PREVIOUS].flatMap((token) => token || []);
  const made = await Promise.all(tokens.map(digestOf));
  digests.set(env, made);
  return made;
}
