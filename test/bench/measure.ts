/** The measures of a pattern, and their goals: test/<pattern>/bench.ts exports them as `bench`. */

/** The article's way, ours, and an object that stores nothing. */
export const SIDES = ["naive", "ours", "floor"] as const;
export type Side = (typeof SIDES)[number];

export interface Measure {
  /** The name that is printed. */
  readonly title: string;
  /** Its name in test/<pattern>/worker/bench.ts. */
  readonly subject: string;
  readonly concurrency: number;
  /** The goal: at least so many times as fast as the article's way (docs/bench.md). */
  readonly timesNaive: number;
  /** The goal: at least this share of the floor, an object that does nothing; undefined if that says nothing here. */
  readonly shareOfFloor?: number;
}

/** The result of a measure from outside the Worker. */
export interface Visited {
  /** One line to print. */
  readonly line: string;
  /** What went wrong, if anything. */
  readonly wrong?: string;
  /** The figures to publish. */
  readonly figures: object;
}

/** A request of `npm run bench:http`, the same for our Worker and for the bare one. */
export interface Route {
  /** As printed: method and path. */
  readonly title: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Sent as JSON. */
  readonly json?: object;
  /** Makes what the request needs, and returns headers that it carries, such as a session's token. */
  readonly prepare?: (url: string) => Promise<Readonly<Record<string, string>>>;
}

export interface PatternBench {
  readonly measures: readonly Measure[];
  /** The classes that test/<pattern>/worker/bench.ts exports, by binding. */
  readonly classes: Readonly<Record<string, string>>;
  /** Bindings of D1 databases, for what people would take instead. */
  readonly databases?: readonly string[];
  /** Routes for `npm run bench:http`. test/<pattern>/worker/bare.ts answers the same ones as `bare`. */
  readonly routes?: readonly Route[];
  /** A measure with clients outside the Worker. They call `url`; `memory` returns workerd's memory in MiB. */
  readonly visit?: {
    readonly subject: string;
    readonly run: (url: string, memory: () => number | undefined) => Promise<Visited>;
  };
}
