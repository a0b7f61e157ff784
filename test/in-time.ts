/** A time limit for something that a test waits for, so that the test fails with a reason. */

/**
 * The result of `waited`, if it comes within `ms` milliseconds.
 * @throws Error with the time and the text of `otherwise`. `waited` goes on.
 */
export async function inTime<T>(ms: number, waited: Promise<T>, otherwise: () => string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`after ${ms / 1_000} s: ${otherwise()}`)), ms);
  try {
    return await Promise.race([waited, late]);
  } finally {
    clearTimeout(timer);
  }
}
