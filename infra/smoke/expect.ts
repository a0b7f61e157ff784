/** What answers must look like. A failure says where, what was expected and what came. */
import { isDeepStrictEqual } from "node:util";
import type { Answer } from "./client.ts";

/** Fails unless the values are equal, all the way down. */
export function equal(what: string, actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new Error(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}

/** Fails unless it holds. */
export function holds(what: string, condition: boolean): asserts condition {
  if (!condition) throw new Error(`${what}: does not hold`);
}

/** An answer has another status than it should. */
export class StatusError extends Error {
  readonly status: number;
  /** The token that the call carried. */
  readonly token: string | undefined;

  constructor(message: string, { status, token }: Pick<Answer, "status" | "token">) {
    super(message);
    this.status = status;
    this.token = token;
  }
}

/** Fails unless the answer has this status; returns its body. */
export function status(what: string, answer: Answer, expected: number): unknown {
  if (answer.status === expected) return answer.body;
  const got = `${answer.status} ${JSON.stringify(answer.body)}`;
  throw new StatusError(`${what}: expected ${expected}, got ${got}`, answer);
}

/** A member of an answer; fails where there is none. */
export function member(value: unknown, ...path: string[]): unknown {
  let found = value;
  for (const name of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name)) {
      throw new Error(`there is no ${path.join(".")} in ${JSON.stringify(value)}`);
    }
    found = Reflect.get(found, name);
  }
  return found;
}

/** Fails unless `value` is a list. */
export function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new Error(`there is no list but ${JSON.stringify(value)}`);
}
