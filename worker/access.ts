/**
 * Who may do what. Default deny: a route that names no action is nobody's, and an action's rule must say yes.
 *
 * Each pattern names its actions in its pattern.ts, with the rules that ship; docs/access.md has all of them, route by
 * route. A project changes one here, by the name of a rule (who.ts) or with one of its own. A rule of an action that
 * is no more does not compile.
 */
import { patterns } from "./patterns.ts";
import type { Action, Rule } from "./who.ts";

type Patterns = (typeof patterns)[number];
/** What a project may change. */
type Changes = {
  readonly [P in Patterns as P["folder"]]?: { readonly [A in keyof P["actions"]]?: Rule };
};

const changes: Changes = {
  // chat: { read: "users" },
  // counter: { reset: ({ caller }) => caller.id === "auth0|6123" },
};

/** The actions of all patterns with their rules, by `<folder>.<action>`. */
export const access: ReadonlyMap<string, Action> = new Map(
  patterns.flatMap(({ folder, actions }) => {
    const changed: Readonly<Record<string, Rule | undefined>> = changes[folder] ?? {};
    return Object.entries<Action>(actions).map(
      ([name, action]) => [`${folder}.${name}`, { ...action, may: changed[name] ?? action.may }] as const,
    );
  }),
);
