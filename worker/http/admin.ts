/** The admin token, which shows that a caller is the stack's owner. */
import type { Context } from "hono";
import { digestOf } from "../../contract/secrets.ts";
import type { App } from "./context.ts";

/** The token of an `Authorization: Bearer` header. */
export function bearerToken(c: Context<App>): string | undefined {
  return /^Bearer +([\w.~+/-]+=*)$/i.exec(c.req.header("Authorization") ?? "")?.[1];
}

/**
 * Whether this is the admin token, or the earlier one while that is set. False if the stack has no admin token. Takes
 * the same time however much of a guess is right.
 */
export async function isAdminToken({ ADMIN_TOKEN, ADMIN_TOKEN_PREVIOUS }: Env, token: string): Promise<boolean> {
  if (!ADMIN_TOKEN) return false;
  const [given, right, before] = await Promise.all(
    // An empty setting counts as not set.
    [token, ADMIN_TOKEN, ADMIN_TOKEN_PREVIOUS || ADMIN_TOKEN].map(digestOf),
  );
  if (!given || !right || !before) return false;
  const isNew = crypto.subtle.timingSafeEqual(given, right);
  const isOld = crypto.subtle.timingSafeEqual(given, before);
  return isNew || isOld;
}
