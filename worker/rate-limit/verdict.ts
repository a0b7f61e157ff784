/**
 * What the limiter answers, also as one number. An argument or an answer of a call to an object costs more if it is an
 * object itself: with numbers both ways there are a third more checks a second (`npm run bench -- --only limiter`).
 */

/** The limiter's answer. */
export interface Verdict {
  allowed: boolean;
  /** Whole tokens left. */
  remaining: number;
  /** After a denial, milliseconds until the cost fits; else until the next token, or 0 if the bucket is full. */
  waitMs: number;
  /** Tokens of the lease that was asked for; missing if there is none. */
  leased?: number;
}

/**
 * More than any wait: two periods of at most a day, a clock that went back by one more, and the leases' two seconds
 * (`waitFor` in objects/bucket.ts). Times the most tokens and two, it is less than 2^53.
 */
const WAITS = 2 ** 28;

/** The verdict as a whole number. Only of one without a lease. */
export const packed = ({ allowed, remaining, waitMs }: Verdict): number =>
  (remaining * WAITS + Math.min(waitMs, WAITS - 1)) * 2 + (allowed ? 1 : 0);

/** The verdict that `packed` made a number of. */
export function unpacked(number: number): Verdict {
  const rest = Math.floor(number / 2);
  return { allowed: number % 2 === 1, remaining: Math.floor(rest / WAITS), waitMs: rest % WAITS };
}
