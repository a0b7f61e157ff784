/** The answer to a call that threw. */
import type { Context } from "hono";
import { faultOfDisk, isOfFullDisk, isOfMachine } from "../disk.ts";
import { ApiError, INTERNAL_ERROR } from "../errors.ts";
import { failure } from "./envelope.ts";

/** A refusal's own answer; for any other error 500, which says whether the machine or the account is at fault. */
export function answerTo(error: Error, c: Context): Response {
  if (error instanceof ApiError) return failure(c, error.status, error);
  if (isOfFullDisk(error))
    return failure(c, 500, {
      code: INTERNAL_ERROR,
      message: `The local account could not write this, because the disk of its folder is full (${error.message}). Make room there, and send the call again.`,
    });
  if (isOfMachine(error))
    return failure(c, 500, {
      code: INTERNAL_ERROR,
      message: `The local account could not do this, because of the disk of its folder: ${faultOfDisk(error)}. Correct that there, and send the call again.`,
    });
  console.error(`${c.req.method} ${c.req.path} failed:`, error);
  return failure(c, 500, {
    code: INTERNAL_ERROR,
    message: `Internal error of the local account, and not a mistake of yours: ${error.message}. Please file an issue for durable-stack with this message and the stack, which the account has printed.`,
  });
}
