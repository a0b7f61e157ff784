/** The refusals of callers for who they are. They stand apart from the guard, which objects have no use for. */
import type { Caller } from "../who.ts";
import { refusal } from "./problem.ts";

/** The refusal of an invalid token, cookie or key. */
export function deadCredential(what: string, headers: Readonly<Record<string, string>> = {}) {
  return refusal("unauthorized", `${what} is invalid or has expired; log in again, or call without it`, {
    headers: { "WWW-Authenticate": 'Bearer error="invalid_token"', ...headers },
  });
}

/** 401 if logging in could help, 403 if not. */
export function denied({ kind }: Pick<Caller, "kind">, isForAdmin = false) {
  const wanted = isForAdmin ? "the admin token, as Authorization: Bearer <token>" : "a session's token or cookie";
  if (kind !== "anonymous") return refusal("forbidden", "The caller may not do this (docs/access.md)");
  return refusal("unauthorized", `This needs ${wanted}`, {
    headers: { "WWW-Authenticate": `Bearer realm="${isForAdmin ? "admin" : "session"}"` },
  });
}
