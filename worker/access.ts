/**
 * Who may do what. Default deny: nobody may call a route that names no action, and an action's rule must say yes.
 *
 * Each pattern names its actions in its pattern.ts, with the rules that ship; docs/access.md lists them by route.
 * Change a rule here: by the name of another (who.ts), or with a function of your own. A rule for an unknown action
 * does not compile.
 */
import { patterns } from "./patterns.ts";
import type { Action, Rule } from "./who.ts";

type Patterns = (typeof patterns)[number];
/** The rules that a project may change, by pattern and action. */
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
