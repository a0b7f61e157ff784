/** What stands in front of the calls: who may make them, what is noted of them, and the faults that were set. */
import { setTimeout as sleep } from "node:timers/promises";
import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { matchedRoutes } from "hono/route";
import type { Account } from "../account.ts";
import type { ApiCalls } from "../api-calls.ts";
import type { Fault, Faults } from "../faults.ts";
import { LOOPBACK } from "../loopback.ts";
import { failure } from "./envelope.ts";

/** Adds each call with its answer to those that the account shows. */
export const recorded = (calls: ApiCalls) =>
  createMiddleware(async (c, next) => {
    const started = performance.now();
    await next();
    const { pathname } = new URL(c.req.url);
    calls.add({
      at: new Date().toISOString(),
      method: c.req.method,
      path: pathname.replace(/^\/client\/v4/, ""),
      status: c.res.status,
      milliseconds: Math.round(performance.now() - started),
    });
  });

/** An answer of the REST API, for tests that hold it to Cloudflare's types. */
export interface Answer {
  readonly method: string;
  /** The route's pattern below `/client/v4`, as `/zones/:zone`; undefined if the call was answered in front of it. */
  readonly route: string | undefined;
  readonly status: number;
  /** The body's text if it is JSON. */
  readonly json: string | undefined;
}

/** Tells each answer. */
export const observed = (onAnswer: (answer: Answer) => void) =>
  createMiddleware(async (c, next) => {
    await next();
    // A fault has cut the connection.
    if (c.res.headers.has("x-hono-already-sent")) return;
    // After the call, Hono's route is the last one that ran: the handler, or a guard that answered.
    const last = matchedRoutes(c)[c.req.routeIndex];
    onAnswer({
      method: c.req.method,
      route: last?.method === c.req.method ? last.path.replace(/^\/client\/v4/, "") : undefined,
      status: c.res.status,
      json: c.res.headers.get("content-type")?.startsWith("application/json") ? await c.res.clone().text() : undefined,
    });
  });

/** A site could resolve its own name to this machine (DNS rebinding). Its pages must not reach the API. */
export const loopbackOnly = createMiddleware(async (c, next) => {
  const host = (c.req.header("host") ?? "").replace(/:\d+$/, "");
  if (!LOOPBACK.test(host))
    return failure(c, 403, {
      code: 9109,
      message: `The local account answers on loopback names only, not as '${host}'.`,
    });
  return next();
});

/** Lets calls pass that have the account's token. */
export const bearer = (account: Account) =>
  createMiddleware(async (c, next) => {
    const header = c.req.header("authorization") ?? "";
    if (header === "")
      return failure(c, 401, {
        code: 10000,
        message: "Authentication error: send the account's token as a bearer token.",
      });
    if (header !== `Bearer ${account.identity.token}`)
      return failure(c, 401, { code: 10000, message: "Authentication error: this is not the account's token." });
    return next();
  });

/** Lets calls pass whose path names this account. */
export const ownAccount = (account: Account) =>
  createMiddleware(async (c, next) => {
    const asked = c.req.param("account");
    if (asked !== account.identity.accountId)
      return failure(c, 404, {
        code: 7003,
        message: `Could not route to /accounts/${asked}: this account is ${account.identity.accountId}.`,
      });
    return next();
  });

/** Fails calls as the faults demand. */
export const failing = (faults: Faults) =>
  createMiddleware<{ Bindings: HttpBindings }>(async (c, next) => {
    const path = new URL(c.req.url).pathname.replace(/^\/client\/v4/, "");
    const fault = path.startsWith("/local/") ? undefined : faults.hit(c.req.method, path);
    if (fault === undefined) return next();
    if (fault.kind === "slow") {
      await sleep(1_000 * fault.seconds);
      return next();
    }
    if (fault.when === "before") return failed(c, fault);
    await next();
    // Hono replaces an answer only after it was removed.
    c.res = undefined;
    c.res = failed(c, fault);
  });

function failed(c: Context<{ Bindings: HttpBindings }>, { kind, seconds }: Fault): Response {
  if (kind === "cut") {
    c.env.outgoing.destroy();
    return RESPONSE_ALREADY_SENT;
  }
  const status = Number(kind);
  const answer = failure(c, status, {
    code: status === 429 ? 971 : 10001,
    message: `This fault was set on purpose: ${status}.`,
  });
  if (status !== 500) answer.headers.set("Retry-After", String(seconds));
  return answer;
}
