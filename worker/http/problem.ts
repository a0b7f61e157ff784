/**
 * Problems: the answers to requests that cannot be served (RFC 9457, application/problem+json).
 *
 * A problem is a value. A route throws it as a `Refusal`, and app.ts turns it into a response, in one place. It has no
 * text from an exception, so no stack trace and no secret can reach a caller.
 */
const KINDS = {
  "invalid-input": { status: 400, title: "Invalid input" },
  "insufficient-balance": { status: 400, title: "Insufficient balance" },
  "ledger-full": { status: 400, title: "Ledger full" },
  unauthorized: { status: 401, title: "Unauthorized" },
  forbidden: { status: 403, title: "Forbidden" },
  "not-found": { status: 404, title: "Not found" },
  "method-not-allowed": { status: 405, title: "Method not allowed" },
  conflict: { status: 409, title: "Conflict" },
  "idempotency-conflict": { status: 409, title: "Idempotency key used with another payload" },
  "account-frozen": { status: 409, title: "Account frozen" },
  "already-settled": { status: 409, title: "Already settled" },
  "reference-taken": { status: 409, title: "Reference taken" },
  "session-replaced": { status: 409, title: "Session replaced" },
  "wrong-currency": { status: 409, title: "Wrong currency" },
  "not-empty": { status: 409, title: "Not empty" },
  "length-required": { status: 411, title: "Length required" },
  "precondition-failed": { status: 412, title: "Precondition failed" },
  "too-large": { status: 413, title: "Content too large" },
  "unsupported-media-type": { status: 415, title: "Unsupported media type" },
  "range-not-satisfiable": { status: 416, title: "Range not satisfiable" },
  "upgrade-required": { status: 426, title: "Upgrade required" },
  "rate-limited": { status: 429, title: "Too many requests" },
  damaged: { status: 500, title: "Stored data is damaged" },
  internal: { status: 500, title: "Internal error" },
  unavailable: { status: 503, title: "Temporarily unavailable" },
} as const;

export type ProblemKind = keyof typeof KINDS;

const typeOf = (kind: string) => `urn:problem:${kind}`;

/** What a client may find as a problem's `type`. */
export const problemTypes = (): string[] => Object.keys(KINDS).map(typeOf);

export interface Problem {
  kind: ProblemKind;
  /** One sentence for the caller: what was wrong, where, and what to do. */
  detail: string;
  /** Further members of the body, such as the article's `allowed: false`. */
  fields?: Record<string, unknown>;
  headers?: Record<string, string>;
}

/** Thrown by routes and middleware to end a request with a problem. */
export class Refusal extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.name = "Refusal";
    this.problem = problem;
  }
}

/** Makes a `Refusal` of this kind, to throw. */
export function refusal(kind: ProblemKind, detail: string, more: Pick<Problem, "fields" | "headers"> = {}): Refusal {
  return new Refusal({ kind, detail, ...more });
}

/** The response of a problem. `error` repeats the detail, because the article's clients (README.md) read that field. */
export function problemResponse({ kind, detail, fields, headers }: Problem): Response {
  const { status, title } = KINDS[kind];
  const body = { type: typeOf(kind), title, status, detail, error: detail, ...fields };
  // Every 503 says when to come back: in a second, if nothing better is known.
  const after = status === 503 && { "Retry-After": "1" };
  return Response.json(body, { status, headers: { ...after, ...headers, "Content-Type": "application/problem+json" } });
}
