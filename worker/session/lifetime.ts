/**
 * How long a session lives, as plain arithmetic. Each use moves its end to a fixed time from then, never past an
 * absolute end. The stored end is the truth; it is moved in steps, so that a use rarely costs a row: a session ends
 * at most `TOUCH_STEP_MS`, or half of a short life, before its time, and never after it.
 */
export const TOUCH_STEP_MS = 60_000;

/** All in ms since the epoch, but `slidingMs`. */
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
/** What a reader of a session gets. Times are ms since the epoch, `expiresIn` is ms from now. */
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

/** How long before its end a session that is used has it moved (ms). */
export const touchBefore = ({ slidingMs }: Pick<Lifetime, "slidingMs">): number =>
  Math.min(TOUCH_STEP_MS, slidingMs / 2);

/** When a session that is used now expires. Unchanged where the move is not worth a row, or would be backwards. */
export function touch({ expiresAt, endsAt, slidingMs }: Lifetime, now: number): number {
  const moved = Math.min(now + slidingMs, endsAt);
  return moved - expiresAt >= touchBefore({ slidingMs }) ? moved : expiresAt;
}
