/** What stands in front of every route of a pattern: which action it is, and whether the caller may. */
import type { Context, Hono, MiddlewareHandler } from "hono";
import type { BlankInput, Input } from "hono/types";
import { access } from "../access.ts";
import type { PatternFacts } from "../pattern.ts";
import { stackOf } from "../stack.ts";
import { type Action, type Asked, answerOf, type Caller, NOBODY } from "../who.ts";
import { API_KEY_HEADER } from "./api-key.ts";
import { callerOf } from "./caller.ts";
import type { App } from "./context.ts";
import { documented } from "./openapi.ts";
import { refusal } from "./problem.ts";

type Thing = Omit<Asked, "caller">;

/** The actions by the middleware that stands for them. */
const guards = new WeakMap<object, string>();

/** A route of an app. */
export interface Guarded {
  readonly method: string;
  /** With parameters: `/:roomId/ws`. */
  readonly path: string;
  /** The action that stands in front of it, such as `ledger.transfer`; undefined where none does. */
  readonly action: string | undefined;
}

/** The routes of an app, each once, in their order. What stands in front of all of them is none. */
export function guardedRoutes({ routes }: Pick<Hono<App>, "routes">): readonly Guarded[] {
  const found = new Map<string, Guarded>();
  for (const { method, path, handler } of routes) {
    if (method === "ALL") continue;
    const name = `${method} ${path}`;
    found.set(name, { method, path, action: guards.get(handler) ?? found.get(name)?.action });
  }
  return [...found.values()];
}

/**
 * Lets a caller pass who may do this: 401 for whom we do not know, 403 for others. `thing` says whose the thing at
 * hand is; it stands behind the checks of what it reads. Where the object decides, it is given the caller.
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
 * The action with its name, such as `ledger.transfer`; of a pattern that is not in the list, with the rule that ships.
 * @throws Error where there is no such action.
 */
function actionNamed({ folder, actions }: PatternFacts, name: string): { key: string; action: Action } {
  const key = `${folder}.${name}`;
  const action = access.get(key) ?? actions[name];
  if (!action) throw new Error(`${key} is not among the actions of worker/access.ts`);
  return { key, action };
}

/** Whether the caller may do something else too: for what an answer may show them. */
export async function permits<P extends PatternFacts>(
  c: Context<App>,
  facts: P,
  name: keyof P["actions"] & string,
): Promise<(thing: Thing) => boolean> {
  const { key, action } = actionNamed(facts, name);
  if (isOpen(c, action)) return () => true;
  const caller = await callerOf(c);
  return (thing) => answerOf(action.may, key, { ...thing, caller }) === true;
}

/** The caller, where the object has to decide about them; undefined where it is decided. */
export const undecided = (c: Context<App>): Caller | undefined => c.get("undecided");

/** Whether anybody may, because the stack is open to the calls of the article. */
const isOpen = (c: Context<App>, { may: rule, open }: Action) =>
  rule === "anyone" || rule === "holder" || (open === true && stackOf(c.env).settings.access === "open");

async function demand(c: Context<App>, key: string, { may: rule }: Action, thing: Thing): Promise<void> {
  // Who logs in is not who they were before: an old cookie decides nothing.
  if (rule === "guests" && c.req.header("Authorization") === undefined && c.req.header(API_KEY_HEADER) === undefined) {
    c.set("caller", NOBODY);
  }
  const caller = await callerOf(c);
  const answer = answerOf(rule, key, { ...thing, caller });
  if (answer === "object") c.set("undecided", caller);
  else if (!answer) throw denied(caller, rule === "admin" || rule === "guests");
}

/** 401 where it would help to log in, 403 where not. */
export function denied({ kind }: Caller, isForAdmin = false) {
  const wanted = isForAdmin ? "the admin token, as Authorization: Bearer <token>" : "a session's token or cookie";
  if (kind !== "anonymous") return refusal("forbidden", "The caller may not do this (docs/access.md)");
  return refusal("unauthorized", `This needs ${wanted}`, {
    headers: { "WWW-Authenticate": `Bearer realm="${isForAdmin ? "admin" : "session"}"` },
  });
}

function securityOf({ may: rule }: Action): Record<string, string[]>[] {
  if (rule === "anyone") return [];
  const owners = [{ admin: [] }, { key: [] }];
  if (rule === "admin") return owners;
  if (rule === "holder") return [{ session: [] }, { cookie: [] }];
  const users = [{ session: [] }, { cookie: [] }, ...owners];
  return rule === "users" || rule === "owner" || rule === "keeper" ? users : [{}, ...users];
}
