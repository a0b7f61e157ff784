/** What is measured of a pattern, and what it must come to: test/<pattern>/bench.ts has it as `bench`. */

/** The article's way, ours, and an object that stores nothing. */
export const SIDES = ["naive", "ours", "floor"] as const;
export type Side = (typeof SIDES)[number];

export interface Measure {
  /** For people. */
  readonly title: string;
  /** What test/<pattern>/worker/bench.ts calls it. */
  readonly subject: string;
  readonly concurrency: number;
  /** At least so many times the article's way. */
  readonly timesNaive: number;
  /** At least this share of the calls that an object answers by doing nothing; undefined where that says nothing. */
  readonly shareOfFloor?: number;
}

/** What came of something that is measured from outside. */
export interface Visited {
  /** In one line, for people. */
  readonly line: string;
  /** What must not be, where it was. */
  readonly wrong?: string;
  /** What is published. */
  readonly figures: object;
}

export interface PatternBench {
  readonly measures: readonly Measure[];
  /** Classes that test/<pattern>/worker/bench.ts exports, by the binding that leads to each. */
  readonly classes: Readonly<Record<string, string>>;
  /** Something that only clients from outside can see. They call at `url`; `memory` tells workerd's, in MiB. */
  readonly visit?: {
    readonly subject: string;
    readonly run: (url: string, memory: () => number | undefined) => Promise<Visited>;
  };
}
