/** What the parts of the app share through a request, and so may not import from the app, which imports them. */

/** What every handler finds in its context. */
export interface App {
  Bindings: Env;
  Variables: {
    requestId: string;
    /** The object that the request went to, for the log. */
    object?: { pattern: string; region: string };
    /** The kind of problem that the request ended with, for the log. */
    outcome?: string;
    /** The request's `Idempotency-Key`, checked. */
    idempotencyKey?: string;
    /** Members that every problem of a route carries, such as the article's `success: false`. */
    problemFields?: Record<string, unknown>;
  };
}
