/** What is measured, and what it must come to (patterns.md, "Numbers"). */

/** The article's way, ours, and an object that stores nothing. */
export const SIDES = ["naive", "ours", "floor"] as const;
export type Side = (typeof SIDES)[number];

export interface Measure {
  /** For people. */
  readonly title: string;
  /** What the bench Worker calls it. */
  readonly subject: string;
  readonly concurrency: number;
  /** At least so many times the article's way. */
  readonly timesNaive: number;
  /** At least this share of the calls that an object answers by doing nothing; undefined where that says nothing. */
  readonly shareOfFloor?: number;
}

export const MEASURES: readonly Measure[] = [
  { title: "rate limiter checks/s", subject: "limiter", concurrency: 1, timesNaive: 5, shareOfFloor: 0.7 },
  { title: "rate limiter checks/s", subject: "limiter", concurrency: 32, timesNaive: 5, shareOfFloor: 0.6 },
  { title: "counter increments/s", subject: "counter", concurrency: 1, timesNaive: 1 },
  { title: "counter increments/s", subject: "counter", concurrency: 32, timesNaive: 5, shareOfFloor: 0.65 },
  { title: "transfers/s, log at 1,000", subject: "transfer", concurrency: 1, timesNaive: 3 },
  { title: "transfers/s, log at 1,000", subject: "transfer", concurrency: 32, timesNaive: 9, shareOfFloor: 0.35 },
  { title: "reads/s of 100 sessions", subject: "session", concurrency: 1, timesNaive: 5, shareOfFloor: 0.7 },
  { title: "chat messages/s, 50 sockets", subject: "chat", concurrency: 50, timesNaive: 4 },
  // Clients that do not take many messages in one frame: what is sent costs most, and is the same on all sides.
  { title: "the same, a frame a message", subject: "plain-chat", concurrency: 50, timesNaive: 1 },
];
