/**
 * Retries of calls to objects, by Cloudflare's rules for errors of Durable Objects: only if the error says `retryable`
 * and not `overloaded`, or that nothing was written; and only calls that may be made twice. The attempt is a function,
 * so that each one takes a new stub: after a failure the old stub stays broken.
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
      // Full jitter, so that callers that failed together do not come back together.
      await scheduler.wait(Math.random() * BASE_DELAY_MS * 2 ** failures);
    }
  }
}

/** Marks such an error. It is in the message, because only the message of an error is sure to reach the caller. */
const NOT_WRITTEN = "Not written: ";

/** The error of a change that an object could not write and did not make. `what`: such as "the count". */
export const notWritten = (what: string, cause: unknown): Error =>
  new Error(`${NOT_WRITTEN}${what}: ${cause}`, { cause });

const NOT_READ = "Not read: ";

/** The error of what an object could not read from a bucket. `what`: such as "the archive". */
export const notRead = (what: string, cause: unknown): Error => new Error(`${NOT_READ}${what}: ${cause}`, { cause });

/** Whether the object may answer another call. */
export const isTransient = (error: unknown) =>
  flag(error, "retryable") ||
  (error instanceof Error && [NOT_WRITTEN, NOT_READ].some((mark) => error.message.includes(mark)));

/** Whether the object is overloaded: another call would make it worse. */
export const isOverloaded = (error: unknown) => flag(error, "overloaded");

function flag(error: unknown, name: "retryable" | "overloaded"): boolean {
  return error instanceof Error && Reflect.get(error, name) === true;
}

/** Marks the error of stored data that is missing or was changed. Calling again does not help. */
const DAMAGED = "Damaged: ";

/** The error of stored data that is missing or was changed from outside. `what`: a sentence that names it. */
export const damaged = (what: string): Error => new Error(`${DAMAGED}${what}`);

/** What such an error names; undefined for any other error. */
export const damageIn = (error: unknown): string | undefined =>
  error instanceof Error ? error.message.split(DAMAGED)[1] : undefined;
