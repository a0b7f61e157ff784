/** The refusals of callers for who they are. They stand apart from the guard, which objects have no use for. */
import type { Caller } from "../who.ts";
import { refusal } from "./problem.ts";

/** The refusal of a caller who must show who they are. `challenge`: how (RFC 6750, 3). */
export const unauthorized = (
  detail: string,
  challenge = 'Bearer realm="session"',
  headers: Readonly<Record<string, string>> = {},
) => refusal("unauthorized", detail, { headers: { "WWW-Authenticate": challenge, ...headers } });

/** The refusal of an invalid token, cookie or key. */
export const deadCredential = (what: string, headers?: Readonly<Record<string, string>>) =>
  unauthorized(
    `${what} is invalid or has expired; log in again, or call without it`,
    'Bearer error="invalid_token"',
    headers,
  );

/** 401 if logging in could help, 403 if not. */
export function denied({ kind }: Pick<Caller, "kind">, isForAdmin = false) {
  if (kind !== "anonymous") return refusal("forbidden", "The caller may not do this (docs/access.md)");
  return isForAdmin
    ? unauthorized("This needs the admin token, as Authorization: Bearer <token>", 'Bearer realm="admin"')
    : unauthorized("This needs a session's token or cookie");
}
