/** Callers who have logged in, by calls that the rate limiter lets through however many a test makes. */
import * as v from "valibot";
import { patterns } from "../../worker/patterns.ts";
import { ADMIN, bearer, type Call, unique } from "./helpers.ts";
import { ask } from "./tries.ts";

const folders: readonly string[] = patterns.map(({ folder }) => folder);
/** Without sessions there are no users and no guests. */
export const hasSessions = folders.includes("session");

/** Begins a session of a user, as the admin unless `more` says otherwise. Returns its token. */
export async function beginSession(userId = unique(), more: Call = {}): Promise<string> {
  const { body } = await ask("/session", { json: { userId }, headers: ADMIN, ...more });
  return v.parse(v.object({ token: v.string() }), body).token;
}

/** The header of a user who has logged in. */
export const logIn = async (userId?: string, more?: Call): Promise<{ Authorization: string }> =>
  bearer(await beginSession(userId, more));

/** Whether a caller with these headers has a session that lives. */
export const isLive = async (headers?: Record<string, string>): Promise<boolean> =>
  headers !== undefined && (await ask("/session", { headers })).status === 200;
