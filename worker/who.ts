/** Who calls, and the rules that a pattern may give its actions. Which rule each action has: docs/access.md. */

export const KINDS = ["admin", "service", "user", "guest", "anonymous"] as const;
/**
 * `admin`: shows the stack's admin token. `service`: a verified API key. `user`: a session, or a token of the stack's
 * issuer. `guest`: a session that
 * nobody vouched for (`demoLogin`). `anonymous`: nobody we know.
 */
export type Kind = (typeof KINDS)[number];

export interface Caller {
  readonly kind: Kind;
  /** What the others see of them. Empty for an anonymous caller who has no name yet. */
  readonly id: string;
  /** Of a service: the actions that its key was granted, such as `ledger.transfer`, or `ledger` for all of a pattern. */
  readonly grants?: readonly string[];
  /** Of a user or guest: the name of the session's object. */
  readonly session?: string;
  /** Of a user by a token of the issuer: when it expires (ms since the epoch). */
  readonly until?: number;
  /** Of an anonymous caller: what to show next time. */
  readonly token?: string;
}

export const NOBODY: Caller = { kind: "anonymous", id: "" };
export const THE_ADMIN: Caller = { kind: "admin", id: "admin" };

/** What a rule is asked: who calls, and whose the thing at hand is. */
export interface Asked {
  readonly caller: Caller;
  /** The user whose account, session or the like it is. */
  readonly owner?: string | undefined;
  /** Whether this stack lets anybody log in as a guest. */
  readonly guestsWelcome?: boolean | undefined;
}

/** The answer: yes, no, or that the object knows (a room has a rule of its own). */
export type Answer = boolean | "object";

/** The rules by name. The admin may do everything, and a service all that its key was granted, whatever the rule. */
export const RULES = {
  anyone: () => true,
  /** Users. */
  users: ({ caller }) => caller.kind === "user",
  /** The user whose it is. */
  owner: ({ caller, owner }) => caller.kind === "user" && caller.id === owner,
  /** The object at hand has a rule of its own. */
  object: () => "object",
  /** The user whose the object at hand is; it knows whose. */
  keeper: ({ caller }) => caller.kind === "user" && "object",
  /** Whoever shows the token of the session that it is about. */
  holder: () => true,
  /** The admin, and where the stack welcomes guests anybody, as a guest. */
  guests: ({ caller, guestsWelcome = false }) => guestsWelcome && caller.kind !== "service",
  admin: () => false,
} as const satisfies Readonly<Record<string, (asked: Asked) => Answer>>;

/** A rule by its name, or one of the project's own. */
export type Rule = keyof typeof RULES | ((asked: Asked) => Answer);

/** What may be done with a pattern, and who may. */
export interface Action {
  readonly may: Rule;
  /** Whether anybody may where a stack says `access: open`: for the calls of the article. */
  readonly open?: true;
}

/** What a rule answers to a caller of an action, such as `ledger.transfer`. */
export function answerOf(rule: Rule, action: string, asked: Asked): Answer {
  const { kind, grants } = asked.caller;
  if (kind === "admin" || (kind === "service" && isGranted(action, grants ?? []))) return true;
  return (typeof rule === "function" ? rule : RULES[rule])(asked);
}

/** Whether a grant of an action, or of all of its pattern, is among these. */
function isGranted(action: string, grants: readonly string[]): boolean {
  return grants.includes(action) || grants.includes(action.slice(0, action.indexOf(".")));
}
