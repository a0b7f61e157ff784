/**
 * What a pattern's operations cost: test/<pattern>/cost.ts has it as `cost`. Most of a Durable Object's bill is rows
 * written. Ours are an upper limit in the long run: with the row of a deletion where something is kept for a time only.
 * The tests of each pattern hold it with these numbers. The article's are counted in its code
 * (test/<pattern>/worker/naive.ts), where each `put` and each `setAlarm` is a row.
 */

/** A number in our way and in the article's. */
export interface Ways {
  readonly ours: number;
  readonly articles: number;
}

/** Rows that one of them writes, and what else it is. */
export interface Operation extends Ways {
  /** The option of `npm run cost` that says how many there are in a month. */
  readonly option: string;
  /** For its help. */
  readonly says: string;
  /** How often each of them calls the Worker and then an object in a month. Once where not given. */
  readonly calls?: number;
  /** How many messages each of them sends over a WebSocket that is open: as many in both ways, or not. */
  readonly messages?: number | Ways;
  /** How often each of them makes an alarm run, which is a request of its object: as often in both ways, or not. */
  readonly alarms?: number | Ways;
}

/** A check of the rate limiter. */
export interface Check extends Ways {
  /** Calls to its object for each check of a caller who comes often, in our way: most are paid from a lease. */
  readonly callsWhenOften: number;
}

export interface PatternCost {
  readonly operations: Readonly<Record<string, Operation>>;
  /** Of the rate limiter alone: what it writes for each request that it lets pass. */
  readonly check?: Check;
}

/** What the patterns of a project cost together. */
export interface Costs {
  readonly operations: readonly Operation[];
  /** Undefined where nothing stands in front of the routes. */
  readonly check: Check | undefined;
}

/** @throws Error where two patterns have the same option. */
export function together(all: readonly PatternCost[]): Costs {
  const operations = all.flatMap((one) => Object.values(one.operations));
  const twice = operations.find(({ option }, i) => operations.findIndex((other) => other.option === option) < i);
  if (twice) throw new Error(`Two patterns have the option --${twice.option}: call one of them something else`);
  return { operations, check: all.find(({ check }) => check !== undefined)?.check };
}
