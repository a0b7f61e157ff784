/** A session's token comes as `Authorization: Bearer`, or in a cookie that no script and no other site can use. */
import type { Context } from "hono";
import { bearerToken } from "../http/admin.ts";
import type { App } from "../http/context.ts";
import { isAllowedOrigin } from "../http/headers.ts";
import { refusal } from "../http/problem.ts";

/** Browsers accept a `__Host-` cookie only with Secure and Path=/, and send it to this host only. */
const COOKIE = "__Host-session";
const ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax";

/**
 * The caller's session token, if any: from the header, else from the cookie. Browsers send cookies without being asked,
 * so a change with a cookie must come from an allowed page: 403 otherwise.
 */
export function shownToken(c: Context<App>): string | undefined {
  return bearerToken(c) ?? shownCookie(c);
}

/** The same, from the cookie only. */
export function shownCookie(c: Context<App>): string | undefined {
  const token = cookieOf(c);
  if (token !== undefined && !["GET", "HEAD"].includes(c.req.method)) {
    const origin = c.req.header("Origin");
    if (origin === undefined || !isAllowedOrigin(c, origin)) {
      throw refusal("forbidden", "With the session cookie, changes must come from a page of this site (Origin)");
    }
  }
  return token;
}

export function giveCookie(c: Context<App>, token: string, maxAgeSeconds: number): void {
  c.header("Set-Cookie", setCookie(token, maxAgeSeconds));
}

export function takeCookie(c: Context<App>): void {
  if (cookieOf(c) !== undefined) c.header("Set-Cookie", COOKIE_GONE);
}

const setCookie = (token: string, maxAgeSeconds: number) =>
  `${COOKIE}=${token}; Max-Age=${maxAgeSeconds}; ${ATTRIBUTES}`;

/** The `Set-Cookie` that deletes the cookie. */
export const COOKIE_GONE = setCookie("", 0);

/** The cookie without the check of its page. Use it only to end its session. */
export function cookieOf(c: Context<App>): string | undefined {
  const cookies = c.req.header("Cookie")?.split(";") ?? [];
  const [, value] = cookies.map((cookie) => cookie.trim().split("=", 2)).find(([name]) => name === COOKIE) ?? [];
  return value;
}
