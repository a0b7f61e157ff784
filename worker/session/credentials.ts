/** How callers show a session's token: `Authorization: Bearer`, or a cookie that no script and no other site can use. */
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { bearerToken } from "../admin.ts";
import type { App } from "../app.ts";
import { isAllowedOrigin } from "../http.ts";
import { refusal } from "../problem.ts";

const COOKIE = "session";
const ATTRIBUTES = { prefix: "host", path: "/", secure: true, httpOnly: true, sameSite: "Lax" } as const;

/**
 * The token that the caller shows, if any; the header goes before the cookie. Browsers send cookies by themselves, so
 * what changes something by cookie must come from a page that may: 403 otherwise.
 */
export function shownToken(c: Context<App>): string | undefined {
  const bearer = bearerToken(c);
  if (bearer !== undefined) return bearer;
  const token = getCookie(c, COOKIE, "host");
  if (token !== undefined && !["GET", "HEAD"].includes(c.req.method)) {
    const origin = c.req.header("Origin");
    if (origin === undefined || !isAllowedOrigin(c, origin)) {
      throw refusal("forbidden", "With the session cookie, changes must come from a page of this site (Origin)");
    }
  }
  return token;
}

export function giveCookie(c: Context<App>, token: string, maxAgeSeconds: number): void {
  setCookie(c, COOKIE, token, { ...ATTRIBUTES, maxAge: maxAgeSeconds });
}

export function takeCookie(c: Context<App>): void {
  if (getCookie(c, COOKIE, "host") !== undefined) deleteCookie(c, COOKIE, ATTRIBUTES);
}
