/**
 * Rows that an operation writes, which is most of what Cloudflare bills a Durable Object for. Those of ours are held
 * by the tests of each pattern, which import them from here.
 */
export interface RowsPerOperation {
  /** An allowed check of the rate limiter. A denied one writes nothing. */
  readonly check: number;
  readonly sessionCreated: number;
  /** In the object of the user's sessions, where one is begun. */
  readonly sessionListed: number;
  /** Of a session that is read once a second. */
  readonly sessionRead: number;
  /** Of a counter with one caller at a time, and of one with 32. */
  readonly increment: number;
  readonly busyIncrement: number;
  readonly message: number;
  /** With an `Idempotency-Key`; without one it is a row less. */
  readonly transfer: number;
}

/** At most. */
export const OURS: RowsPerOperation = {
  check: 0.1,
  sessionCreated: 7,
  sessionListed: 3,
  sessionRead: 0.02,
  increment: 1,
  busyIncrement: 0.1,
  message: 1.1,
  transfer: 4,
};

/** Counted in the article's code (test/bench/naive/): each `put` and each `setAlarm` is a row. */
export const ARTICLES: RowsPerOperation = {
  check: 1,
  sessionCreated: 2,
  sessionListed: 0,
  sessionRead: 1,
  increment: 1,
  busyIncrement: 1,
  message: 1,
  transfer: 3,
};
