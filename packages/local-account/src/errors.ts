/**
 * The account's refusals, in Cloudflare's form: an HTTP status, a numeric code, a sentence.
 *
 * | what goes wrong | where |
 * |---|---|
 * | a client's call is refused | here |
 * | its input does not fit a schema, in words | issues.ts |
 * | what a call is answered that threw anything | api/failures.ts |
 * | a Worker throws | exceptions.ts |
 * | a call fails because a test asked for it | faults.ts |
 */

/** What a caught value says. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Why an account does not start. The message tells the person who starts it what to do. */
export class CannotStart extends Error {}

/** A refusal, answered in an error envelope. `details` becomes `meta.details` of the error. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: number;
  readonly details: readonly object[] | undefined;

  constructor(status: number, code: number, message: string, details?: readonly object[]) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

/** What the account itself cannot do. Not 10000: that is Cloudflare's code for a wrong token, and wrangler would blame the token. */
export const INTERNAL_ERROR = 10013;

/** Code 10013: the account ends, and begins nothing more. */
export const closing = () =>
  new ApiError(503, INTERNAL_ERROR, "The account is closing, and did not do this. Send the call again when it runs.");

/** Code 10021: invalid input. The message names the field and its rule. */
export const invalid = (message: string) => new ApiError(400, 10021, message);

/** Code 10013: no KV namespace has this id. */
export const noSuchNamespace = (id: string) => new ApiError(404, 10013, `namespace not found: ${id}`);

/** Code 7404: no D1 database has this id or name. */
export const noSuchDatabase = (idOrName: string) =>
  new ApiError(404, 7404, `The database ${idOrName} could not be found`);

/** Code 11000: there is no such queue. */
export const noSuchQueue = (id: string) => new ApiError(404, 11000, `Queue '${id}' not found`);

/** Code 10007: no Worker has this name or id. */
export const noSuchWorker = (name: string) =>
  new ApiError(404, 10007, `This Worker does not exist on your account: ${name}`);
