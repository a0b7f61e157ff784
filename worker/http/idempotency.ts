/**
 * The `Idempotency-Key` header: a caller who got no answer may call again with the same key, and the change is made
 * once. The objects remember their answers (replays.ts).
 */
import type { Context, MiddlewareHandler } from "hono";
import { retry } from "../objects/retry.ts";
import { callerOf } from "./caller.ts";
import type { App } from "./context.ts";
import { documented } from "./openapi.ts";
import { refusal } from "./problem.ts";

const HEADER = "Idempotency-Key";
const MAX_KEY_LENGTH = 255;

/** Checks the key, if there is one, and sets it as `c.get("idempotencyKey")`. */
export const idempotencyKey: MiddlewareHandler<App> = documented(
  async (c, next) => {
    const key = c.req.header(HEADER);
    if (key !== undefined) {
      if (!/^[\x21-\x7e]+$/.test(key) || key.length > MAX_KEY_LENGTH) {
        throw refusal("invalid-input", `${HEADER}: must be 1 to ${MAX_KEY_LENGTH} visible ASCII characters`);
      }
      c.set("idempotencyKey", key);
    }
    await next();
  },
  () => ({
    parameters: [
      {
        name: HEADER,
        in: "header",
        required: false,
        description:
          "Repeat a request within 24 hours with the same key and payload, and you get the first answer, with Idempotent-Replayed: true",
        schema: { type: "string", minLength: 1, maxLength: MAX_KEY_LENGTH },
      },
    ],
  }),
);

/** Makes a change at an object. Retries only if the request has a key, which keeps the change from happening twice. */
export async function makeChange<T>(c: Context<App>, make: (key: string | undefined) => Promise<T>): Promise<T> {
  const key = await keyOf(c);
  return key === undefined ? make(undefined) : retry(() => make(key));
}

/**
 * The request's key with its caller in front, so that callers never share keys. A space separates: no key has one.
 * Callers without any identity share theirs. 401 for an invalid token, also where anybody may call: the same call with
 * the token while it was valid had another key, and would be made again.
 */
async function keyOf(c: Context<App>): Promise<string | undefined> {
  const key = c.get("idempotencyKey");
  if (key === undefined) return undefined;
  const { id } = await callerOf(c);
  return id === "" ? key : `${id} ${key}`;
}

/** The header of repeated answers. */
export const REPLAYED_HEADER = "Idempotent-Replayed";

/** The refusal of a key that came before with another payload. */
export function keyConflict() {
  return refusal("idempotency-conflict", `${HEADER}: this key was used with another payload; use a new key`);
}
