/** What the parts of the app share during a request. It is a file of its own because the app imports those parts. */
import type { Context, MiddlewareHandler } from "hono";
import type { Limit } from "../pattern.ts";
import type { Caller } from "../who.ts";
import type { Refusal } from "./problem.ts";

/** The session pattern, as the code that identifies callers needs it. */
export interface Sessions {
  /** The user or guest of a session's token; undefined if there is no such session. Counts as a use of the session. */
  callerOf(c: Context<App>, token: string): Promise<Caller | undefined>;
  /**
   * Notes that an object is about to open a WebSocket for this caller, so that the session can tell it of its end.
   * The object's class needs `sessionEnded` and `holdsSession`. Refuses (401, 429) if the socket must not be opened.
   */
  hold(
    c: Context<App>,
    caller: Caller,
    pattern: { readonly name: string; readonly binding: string },
    id: string,
  ): Promise<void>;
  /** The token in the caller's cookie. Refuses (403) a change that may come from a foreign page. */
  cookieOf(c: Context<App>): string | undefined;
  /**
   * The headers that delete the cookie of an ended session. None if another session took its place a short while ago:
   * they would delete the new cookie, if the request was on its way meanwhile.
   */
  withoutCookie(c: Context<App>): Promise<Readonly<Record<string, string>>>;
}

/** What a request is charged. */
export interface Charge extends Limit {
  /** Whole tokens; 1 by default. A cost over the capacity takes a full bucket. */
  readonly cost?: number;
}

/** The rate limiter, as the code in front of the routes needs it: middleware that charges the caller. */
export type Limiter = (charge: Charge) => MiddlewareHandler<App>;

/** The variables of every handler's context. */
export interface App {
  Bindings: Env;
  Variables: {
    requestId: string;
    /** Whether a rate limiter has counted the request. */
    charged?: true;
    /** The pattern's name (`class` in the log) and the region of the object that was called, for the log. */
    object?: { pattern: string; region: string };
    /** Set if the project has sessions. */
    sessions?: Sessions | undefined;
    /** Set if the project has a rate limiter. */
    limiter?: Limiter | undefined;
    /** The caller by their token, cookie or key, or why it is refused; set once it was checked (http/caller.ts). */
    identified?: Caller | Refusal;
    /** The caller, once some code has asked (http/caller.ts). */
    caller?: Caller;
    /** The caller, if the object has to decide whether they may (http/may.ts). */
    undecided?: Caller;
    /** The kind of problem that was answered, for the log. */
    outcome?: string;
    /** The request's valid `Idempotency-Key`. */
    idempotencyKey?: string;
    /** Members that every problem of a route carries, such as the article's `success: false`. */
    problemFields?: Record<string, unknown>;
  };
}
