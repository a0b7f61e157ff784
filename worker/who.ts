/** The kinds of callers, and the rules that a pattern may give its actions. docs/access.md lists each action's rule. */

export const KINDS = ["admin", "service", "user", "guest", "anonymous"] as const;
/**
 * `admin`: shows the stack's admin token. `service`: a verified API key. `user`: a session, or a token of the stack's
 * issuer. `guest`: a session that anybody may begin (`demoLogin`). `anonymous`: none of these.
 */
export type Kind = (typeof KINDS)[number];

export interface Caller {
  readonly kind: Kind;
  /** The id that others see. Empty for an anonymous caller who has no name yet. */
  readonly id: string;
  /** For a service: the actions that its key may do, such as `ledger.transfer`, or `ledger` for all of a pattern. */
  readonly grants?: readonly string[];
  /** For a user or guest: the name of the session's object. */
  readonly session?: string;
  /** For a user by a token of the issuer: when the token expires (ms since the epoch). */
  readonly until?: number;
  /** The roles that this token gives the user (setting `identity.rolesClaim`). */
  readonly roles?: readonly string[];
  /** For an anonymous caller: the token to show next time. */
  readonly token?: string;
}

export const NOBODY: Caller = { kind: "anonymous", id: "" };
export const THE_ADMIN: Caller = { kind: "admin", id: "admin" };

/** What a rule decides by: who calls, and who owns the account or session. */
export interface Asked {
  readonly caller: Caller;
  /** The user who owns the account, session or the like. */
  readonly owner?: string | undefined;
  /** Whether this stack lets anybody log in as a guest. */
  readonly guestsWelcome?: boolean | undefined;
}

/** Yes, no, or that the object has to decide (a room has a rule of its own). */
export type Answer = boolean | "object";

/** The rules by name. Whatever the rule, the admin may do everything, and a service all that its key grants. */
const RULES = {
  anyone: () => true,
  /** Users. */
  users: ({ caller }) => caller.kind === "user",
  /** The owner. */
  owner: ({ caller, owner }) => caller.kind === "user" && caller.id === owner,
  /** The object decides by a rule of its own. */
  object: () => "object",
  /** The object's owner; the object knows who that is. */
  keeper: ({ caller }) => caller.kind === "user" && "object",
  /** Whoever shows the session's token. */
  holder: () => true,
  /** The admin; and if the stack allows guests, anybody, as a guest. */
  guests: ({ caller, guestsWelcome = false }) => guestsWelcome && caller.kind !== "service",
  admin: () => false,
} as const satisfies Readonly<Record<string, (asked: Asked) => Answer>>;

/** A rule by its name, or one of the project's own. */
export type Rule = keyof typeof RULES | ((asked: Asked) => Answer);

/** The rule for users with a role (setting `identity.rolesClaim`). */
export const role =
  (name: string) =>
  ({ caller }: Asked): boolean =>
    caller.roles?.includes(name) === true;

/** An action of a pattern, and who may do it. */
export interface Action {
  readonly may: Rule;
  /** Whether anybody may on a stack with `access: open`: true for the article's calls (README.md). */
  readonly open?: true;
}

const asksObject = (rule: Rule) => rule === "object" || rule === "keeper";

/**
 * An action with the rule that a project has given it. Only routes whose action ships with `object` or `keeper` ask their
 * object: anywhere else, what is left to the object would be let through. There a function's "object" is a no.
 * @throws Error where the project gives `object` or `keeper` to any other action.
 */
export function withRule(key: string, shipped: Action, chosen = shipped): Action {
  const { may } = chosen;
  if (may === shipped.may || asksObject(shipped.may)) return chosen;
  if (typeof may === "function") return { ...chosen, may: (asked) => may(asked) === true };
  if (!asksObject(may)) return chosen;
  throw new Error(
    `worker/access.ts: ${key} cannot be "${may}": its routes do not ask the object. Give it another rule`,
  );
}

/** A rule's answer to a caller of an action, such as `ledger.transfer`. */
export function answerOf(rule: Rule, action: string, asked: Asked): Answer {
  const { kind, grants } = asked.caller;
  if (kind === "admin" || (kind === "service" && isGranted(action, grants ?? []))) return true;
  return (typeof rule === "function" ? rule : RULES[rule])(asked);
}

/** Whether these grants include an action, or all of its pattern. */
function isGranted(action: string, grants: readonly string[]): boolean {
  return grants.includes(action) || grants.includes(action.slice(0, action.indexOf(".")));
}
