/** A limit for what a test waits for, so that it ends with the reason and not with the test's own time. */

/**
 * What `waited` gives, when it comes within `ms` milliseconds.
 * @throws Error with the time and what `otherwise` says then; what is waited for goes on.
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
