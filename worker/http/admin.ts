/** The admin token: what a caller must show for what only the stack's owner may do. */
import type { Context, MiddlewareHandler } from "hono";
import type { App } from "./context.ts";
import { documented } from "./openapi.ts";
import { refusal } from "./problem.ts";

/** The token of an `Authorization: Bearer` header. */
export function bearerToken(c: Context<App>): string | undefined {
  return /^Bearer +([\w.~+/-]+=*)$/i.exec(c.req.header("Authorization") ?? "")?.[1];
}

/**
 * Whether the caller shows the admin token, or the one before while that is set; nobody does where none is set. Takes
 * the same time however much of a guess is right.
 */
export async function isAdmin(c: Context<App>): Promise<boolean> {
  const token = bearerToken(c);
  const { ADMIN_TOKEN, ADMIN_TOKEN_PREVIOUS } = c.env;
  if (token === undefined || !ADMIN_TOKEN) return false;
  const [given, right, before] = await Promise.all(
    // An empty token is none: nobody can show one.
    [token, ADMIN_TOKEN, ADMIN_TOKEN_PREVIOUS || ADMIN_TOKEN].map(digest),
  );
  if (!given || !right || !before) return false;
  const isNew = crypto.subtle.timingSafeEqual(given, right);
  const isOld = crypto.subtle.timingSafeEqual(given, before);
  return isNew || isOld;
}

/** Lets only the admin pass: 401 without a token, 403 with another. */
export const admin: MiddlewareHandler<App> = documented(
  async (c, next) => {
    if (!(await isAdmin(c))) throw adminOnly(c);
    await next();
  },
  () => ({ security: [{ admin: [] }] }),
);

/** The refusal of a caller who is not the admin. */
export function adminOnly(c: Context<App>) {
  return bearerToken(c) === undefined
    ? refusal("unauthorized", "This needs the admin token, as Authorization: Bearer <token>", {
        headers: { "WWW-Authenticate": 'Bearer realm="admin"' },
      })
    : refusal("forbidden", "The token given is not the admin token");
}

const digest = (text: string) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
