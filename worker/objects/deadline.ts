/** Waits for an answer, but not for ever. */

/**
 * The answer, if it comes within `ms` milliseconds. What was asked goes on all the same, so its late answer must do no
 * harm. A timer that is cleared, and not `scheduler.wait` with an AbortSignal: this runs in every request.
 * @throws Error if it is late
 */
export function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
