/**
 * Who a request is from. Found out only if a rule or an identity depends on it, and once a request. A caller with an
 * invalid or expired token, cookie or key gets 401, and never another identity.
 */

import type { Context } from "hono";
import { stackOf } from "../stack.ts";
import { type Caller, NOBODY, THE_ADMIN } from "../who.ts";
import { bearerToken, isAdminToken } from "./admin.ts";
import { anonymousOf, looksAnonymous, newcomer } from "./anonymous.ts";
import { API_KEY_HEADER, apiKeyOf } from "./api-key.ts";
import type { App } from "./context.ts";
import { deadCredential, unauthorized } from "./denials.ts";
import { tooManyGuesses } from "./guesses.ts";
import { looksIssued, userOf } from "./issuer.ts";
import { Refusal } from "./problem.ts";
import { offeredProtocols } from "./upgrade.ts";

/** A session's token. Cloudflare's log shows subprotocols, and a session lasts too long for that. */
const looksLikeSession = (text: string) => /~[\w-]{43}$/.test(text);

/** The caller. 401 for an invalid token, cookie or key. */
export async function callerOf(c: Context<App>): Promise<Caller> {
  const known = c.get("caller");
  if (known) return known;
  const found = await callerOrRefusal(c);
  if (found instanceof Refusal) throw found;
  c.set("caller", found);
  return found;
}

/** The same, but returns the refusal: for routes that need no identity. */
export async function callerOrRefusal(c: Context<App>): Promise<Caller | Refusal> {
  const known = c.get("identified");
  if (known) return known;
  const found = await identify(c).catch((error: unknown) => {
    if (error instanceof Refusal) return error;
    throw error;
  });
  c.set("identified", found);
  return found;
}

/** The caller with a name that others may see. An anonymous caller gets a name here. */
export async function namedCallerOf(c: Context<App>): Promise<Caller> {
  const caller = await callerOf(c);
  if (caller.id !== "") return caller;
  const named = await newcomer(c.env);
  c.set("caller", named);
  return named;
}

async function identify(c: Context<App>): Promise<Caller> {
  const sessions = c.get("sessions");
  if (c.req.header("Authorization") !== undefined) {
    const token = bearerToken(c);
    return (token === undefined ? undefined : await byToken(c, token)) ?? refuse("The token shown");
  }
  const cookie = sessions?.cookieOf(c);
  if (sessions && cookie !== undefined) {
    return (await sessions.callerOf(c, cookie)) ?? refuse("The session of the cookie", await sessions.withoutCookie(c));
  }
  if (c.req.header(API_KEY_HEADER) !== undefined) {
    const key = await apiKeyOf(c);
    if (key === "unchecked") throw tooManyGuesses("The API key shown");
    if (!key) return refuse("The API key shown");
    return { kind: "service", id: `key-${key.id}`, grants: key.grants };
  }
  // A page cannot set headers of a WebSocket, but it can offer a subprotocol.
  const { identity } = stackOf(c.env).settings;
  const offered = offeredProtocols(c);
  if (offered.some(looksLikeSession)) {
    throw unauthorized("A session's token is no subprotocol: show it as a bearer token, or its cookie");
  }
  const token = offered.find((each) => looksAnonymous(each) || (identity && looksIssued(each)));
  if (token === undefined) return NOBODY;
  return (await byToken(c, token)) ?? refuse("The token offered as a subprotocol");
}

async function byToken(c: Context<App>, token: string): Promise<Caller | undefined> {
  if (looksAnonymous(token)) return anonymousOf(c.env, token);
  const { identity } = stackOf(c.env).settings;
  if (identity && looksIssued(token)) return userOf(identity, token);
  const user = await c.get("sessions")?.callerOf(c, token);
  if (user) return user;
  return (await isAdminToken(c.env, token)) ? THE_ADMIN : undefined;
}

function refuse(what: string, headers?: Readonly<Record<string, string>>): never {
  throw deadCredential(what, headers);
}
