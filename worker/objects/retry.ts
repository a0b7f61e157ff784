/**
 * Retries towards objects, by Cloudflare's rules for errors of Durable Objects: only where the error says
 * `retryable` and not `overloaded`, or that nothing was written, and only calls that may happen twice. The attempt is a function, so each one
 * takes a new stub; after a failure the old one stays broken.
 */
const ATTEMPTS = 3;
const BASE_DELAY_MS = 50;

/** Makes an idempotent call: `retry(() => counterOf(c).value())`. */
export async function retry<T>(attempt: () => Promise<T>): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (failures === ATTEMPTS || !isTransient(error) || isOverloaded(error)) throw error;
      // Full jitter: callers that failed together do not come back together.
      await scheduler.wait(Math.random() * BASE_DELAY_MS * 2 ** failures);
    }
  }
}

/** Before the cause, in the message of such an error: of an error that crosses to the caller, only its message is sure to. */
const NOT_WRITTEN = "Not written: ";

/** The error of a change that an object could not write, such as "the count", and has not made. */
export const notWritten = (what: string, cause: unknown): Error =>
  new Error(`${NOT_WRITTEN}${what}: ${cause}`, { cause });

/** Whether the object may answer when asked again. */
export const isTransient = (error: unknown) =>
  flag(error, "retryable") || (error instanceof Error && error.message.includes(NOT_WRITTEN));

/** Whether the object has more than it can do: asking again makes it worse. */
export const isOverloaded = (error: unknown) => flag(error, "overloaded");

function flag(error: unknown, name: "retryable" | "overloaded"): boolean {
  return error instanceof Error && Reflect.get(error, name) === true;
}
