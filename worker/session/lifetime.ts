/**
 * How long a session lives, as plain arithmetic. Each use moves its end to a fixed time after that use, never past an
 * absolute end. Only the stored end counts. It is moved in steps, so that few uses write a row: a session may end up to
 * `TOUCH_STEP_MS`, or half of a short life, before its time, and never after it.
 */
export const TOUCH_STEP_MS = 60_000;

/** Times in ms since the epoch; `slidingMs` in ms. */
export interface Lifetime {
  createdAt: number;
  expiresAt: number;
  /** The absolute end. */
  endsAt: number;
  slidingMs: number;
}

/** Who a session is for. */
export interface Subject {
  userId: string;
  role: string;
  /** JSON of the caller's own data. */
  metadata: string | null;
}
/** A session as its reader gets it. Times are ms since the epoch, `expiresIn` is ms from now. */
export type Reading = Subject & Omit<Lifetime, "slidingMs"> & { expiresIn: number };

/** How long a session lives from its last use, and at most (ms). */
export interface Lengths {
  slidingMs: number;
  absoluteMs: number;
}

/** The life of a session that begins now. */
export function begin(now: number, { slidingMs, absoluteMs }: Lengths): Lifetime {
  const endsAt = now + absoluteMs;
  return { createdAt: now, expiresAt: Math.min(now + slidingMs, endsAt), endsAt, slidingMs };
}

export function isOver({ expiresAt }: Lifetime, now: number): boolean {
  return now >= expiresAt;
}

/** A use moves the end of a session only if it gains at least this much (ms). */
export const touchBefore = ({ slidingMs }: Pick<Lifetime, "slidingMs">): number =>
  Math.min(TOUCH_STEP_MS, slidingMs / 2);

/** When a session that is used now expires. Unchanged if the move is not worth a row, or would go back. */
export function touch({ expiresAt, endsAt, slidingMs }: Lifetime, now: number): number {
  const moved = Math.min(now + slidingMs, endsAt);
  return moved - expiresAt >= touchBefore({ slidingMs }) ? moved : expiresAt;
}
