/** The guard in front of every route of a pattern: names its action, and checks whether the caller may do it. */

import type { Context, MiddlewareHandler } from "hono";
import type { BlankInput, Input } from "hono/types";
import { access } from "../access.ts";
import type { PatternFacts } from "../pattern.ts";
import { stackOf } from "../stack.ts";
import { type Action, type Answer, type Asked, answerOf, type Caller, NOBODY, withRule } from "../who.ts";
import { API_KEY_HEADER } from "./api-key.ts";
import { callerOf } from "./caller.ts";
import type { App } from "./context.ts";
import { denied } from "./denials.ts";
import type { Hono } from "./hono.ts";
import { documented } from "./openapi.ts";

type Thing = Omit<Asked, "caller">;

/** The action of each guard. */
const guards = new WeakMap<object, string>();

/** A route of an app. */
export interface Guarded {
  readonly method: string;
  /** The path with its parameters: `/:roomId/ws`. */
  readonly path: string;
  /** The action of the route's guard, such as `ledger.transfer`; undefined if it has no guard. */
  readonly action: string | undefined;
}

/** The routes of an app, each once, in their order. Middleware of the whole app is not a route. */
export function guardedRoutes({ routes }: Pick<Hono, "routes">): readonly Guarded[] {
  const found = new Map<string, Guarded>();
  for (const { method, path, handler } of routes) {
    if (method === "ALL") continue;
    const name = `${method} ${path}`;
    found.set(name, { method, path, action: guards.get(handler) ?? found.get(name)?.action });
  }
  return [...found.values()];
}

/**
 * Lets a caller pass if they may do this; else 401 if logging in could help, 403 if not. `thing` tells the rule whose
 * account or session it is about; it comes after the validation of what it reads. If the object decides, the handler
 * passes the caller on to it (`undecided`).
 */
export function may<P extends PatternFacts, I extends Input = BlankInput>(
  facts: P,
  name: keyof P["actions"] & string,
  thing?: (c: Context<App, string, I>) => Thing,
): MiddlewareHandler<App, string, I> {
  const { key, action } = actionNamed(facts, name);
  const guard: MiddlewareHandler<App, string, I> = async (c, next) => {
    if (!isOpen(c, action)) await demand(c, key, action, thing?.(c) ?? {});
    await next();
  };
  guards.set(guard, key);
  return documented(guard, () => ({
    security: securityOf(action),
    "x-access": { action: key, rule: typeof action.may === "function" ? "own" : action.may },
  }));
}

/**
 * The action and its full name, such as `ledger.transfer`. A pattern outside the list has the rules that ship.
 * @throws Error if there is no such action, or if its rule is not for it.
 */
function actionNamed({ folder, actions }: PatternFacts, name: string): { key: string; action: Action } {
  const key = `${folder}.${name}`;
  const shipped = actions[name];
  if (!shipped) throw new Error(`${key} is not among the actions of its pattern.ts`);
  return { key, action: withRule(key, shipped, access.get(key)) };
}

/** Whether the caller may do another action too: decides what an answer shows them. */
export async function permits<P extends PatternFacts>(
  c: Context<App>,
  facts: P,
  name: keyof P["actions"] & string,
): Promise<(thing: Thing) => boolean> {
  const ruling = await rulingOn(c, facts, name);
  return (thing) => ruling(thing) === true;
}

/** What the rule of another action says of the caller: for an object that has to decide on several at once. */
export async function rulingOn<P extends PatternFacts>(
  c: Context<App>,
  facts: P,
  name: keyof P["actions"] & string,
): Promise<(thing: Thing) => Answer> {
  const { key, action } = actionNamed(facts, name);
  if (isOpen(c, action)) return () => true;
  const caller = await callerOf(c);
  return (thing) => answerOf(action.may, key, { ...thing, caller });
}

/** The caller, if the object has to decide whether they may; undefined if that is decided. */
export const undecided = (c: Context<App>): Caller | undefined => c.get("undecided");

/** Whether anybody may, because the stack has `access: open` and this is a call of the article (README.md). */
const isOpen = (c: Context<App>, { may: rule, open }: Action) =>
  rule === "anyone" || rule === "holder" || (open === true && stackOf(c.env).settings.access === "open");

async function demand(c: Context<App>, key: string, { may: rule }: Action, thing: Thing): Promise<void> {
  // A login makes a new identity, so an old cookie is ignored.
  if (rule === "guests" && c.req.header("Authorization") === undefined && c.req.header(API_KEY_HEADER) === undefined) {
    c.set("caller", NOBODY);
  }
  const caller = await callerOf(c);
  const answer = answerOf(rule, key, { ...thing, caller });
  if (answer === "object") c.set("undecided", caller);
  else if (!answer) throw denied(caller, rule === "admin" || rule === "guests");
}

function securityOf({ may: rule }: Action): Record<string, string[]>[] {
  if (rule === "anyone") return [];
  const owners = [{ admin: [] }, { key: [] }];
  if (rule === "admin") return owners;
  if (rule === "holder") return [{ session: [] }, { cookie: [] }];
  const users = [{ session: [] }, { cookie: [] }, ...owners];
  return rule === "users" || rule === "owner" || rule === "keeper" ? users : [{}, ...users];
}
