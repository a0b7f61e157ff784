/**
 * The answers that an object gave under an `Idempotency-Key`, kept for 24 hours. Their table is in steps.ts.
 *
 * One row per key. Rows are clustered by the six hours in which they were written, so that the oldest are found without
 * an index, which would double the rows written. Every new key deletes up to two old ones; the object's alarm sweeps
 * the rest.
 */
const KEPT_MS = 24 * 60 * 60 * 1000;
const PERIOD_MS = 6 * 60 * 60 * 1000;
const KEPT_PERIODS = KEPT_MS / PERIOD_MS;
const REMOVED_PER_KEY = 2;
const REMOVED_PER_SWEEP = 1_000;

/** A key is new, has an answer, or came before with another payload. */
export type Replay = { kind: "new" } | { kind: "replay"; answer: string } | { kind: "conflict" };

/** Looks a key up. `now`: ms since the epoch. `payload`: everything that the answer depends on. */
export function findReplay(sql: SqlStorage, key: string, payload: string, now: number): Replay {
  // One look-up per period: back to the oldest that is kept, and as far ahead, in case the clock went back.
  const [row] = sql
    .exec<{ payload: string; answer: string }>(
      `SELECT payload, answer FROM replays
       WHERE key = ? AND period IN (${Array.from({ length: 2 * KEPT_PERIODS + 1 }, () => "?")}) AND at > ?
       ORDER BY at DESC LIMIT 1`,
      key,
      ...Array.from({ length: 2 * KEPT_PERIODS + 1 }, (_, index) => periodOf(now) - KEPT_PERIODS + index),
      now - KEPT_MS,
    )
    .toArray();
  return row ? replayOf(row, payload) : { kind: "new" };
}

/** What a key that has an answer means for a call with this payload. */
export const replayOf = (before: { readonly payload: string; readonly answer: string }, payload: string): Replay =>
  before.payload === payload ? { kind: "replay", answer: before.answer } : { kind: "conflict" };

/** Keeps the answer to a new key. Call it in the transaction that makes the change. */
export function keepReplay(
  sql: SqlStorage,
  { key, payload, answer }: { readonly key: string; readonly payload: string; readonly answer: string },
  now: number,
): void {
  sql.exec(
    "INSERT OR REPLACE INTO replays (period, key, payload, answer, at) VALUES (?, ?, ?, ?, ?)",
    ...[periodOf(now), key, payload, answer, now],
  );
  sql.exec(
    `DELETE FROM replays WHERE (period, key) IN
     (SELECT period, key FROM replays WHERE period < ? ORDER BY period, key LIMIT ${REMOVED_PER_KEY})`,
    periodOf(now) - KEPT_PERIODS,
  );
}

/** When the answer to a key of `now` may be swept (ms since the epoch). */
export const sweepDue = (now: number): number => (periodOf(now) + KEPT_PERIODS + 1) * PERIOD_MS;

/** Deletes old answers, a thousand at a time. Returns when to come again; undefined if none is left. */
export function sweepReplays(sql: SqlStorage, now: number): number | undefined {
  sql.exec(
    `DELETE FROM replays WHERE (period, key) IN
     (SELECT period, key FROM replays WHERE period < ? ORDER BY period, key LIMIT ${REMOVED_PER_SWEEP})`,
    periodOf(now) - KEPT_PERIODS,
  );
  const { oldest } = sql.exec<{ oldest: number | null }>("SELECT min(period) AS oldest FROM replays").one();
  return oldest === null ? undefined : Math.max((oldest + KEPT_PERIODS + 1) * PERIOD_MS, now);
}

const periodOf = (time: number) => Math.floor(time / PERIOD_MS);
