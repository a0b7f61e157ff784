/** What the parts of the app share through a request, and so may not import from the app, which imports them. */
import type { Context, MiddlewareHandler } from "hono";
import type { Limit } from "../pattern.ts";
import type { Caller } from "../who.ts";
import type { Refusal } from "./problem.ts";

/** The sessions, for whoever asks who a caller is. */
export interface Sessions {
  /** The user or guest of a session's token; undefined where there is none such, or no longer. Counts as a use. */
  callerOf(c: Context<App>, token: string): Promise<Caller | undefined>;
  /**
   * Notes that an object, whose class has `sessionEnded` and `holdsSession`, is about to open a WebSocket for this caller:
   * it is told when the session ends. Refuses (401, 429) where it must not be opened.
   */
  hold(
    c: Context<App>,
    caller: Caller,
    pattern: { readonly name: string; readonly binding: string },
    id: string,
  ): Promise<void>;
  /** The token in the caller's cookie. Refuses (403) changes that a foreign page may have asked for. */
  cookieOf(c: Context<App>): string | undefined;
  /** The `Set-Cookie` that takes the cookie away. */
  readonly withoutCookie: string;
}

/** What every handler finds in its context. */
export interface App {
  Bindings: Env;
  Variables: {
    requestId: string;
    /** Whether a rate limiter has counted the request. */
    charged?: true;
    /** The object that the request went to, for the log. */
    object?: { pattern: string; region: string };
    /** Where the project has sessions. */
    sessions?: Sessions | undefined;
    /** Where the project has a rate limiter. */
    limiter?: ((limit: Limit & { cost?: number }) => MiddlewareHandler<App>) | undefined;
    /** Who the caller is by what they show, or why that is not good, once it was looked at (http/caller.ts). */
    identified?: Caller | Refusal;
    /** Who calls, once somebody has asked (http/caller.ts). */
    caller?: Caller;
    /** The caller, where only the object at hand knows whether they may (http/may.ts). */
    undecided?: Caller;
    /** The kind of problem that the request ended with, for the log. */
    outcome?: string;
    /** The request's `Idempotency-Key`, checked. */
    idempotencyKey?: string;
    /** Members that every problem of a route carries, such as the article's `success: false`. */
    problemFields?: Record<string, unknown>;
  };
}
