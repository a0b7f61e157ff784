/** A month's bill for a load: plain arithmetic from operations to usage, and from usage to dollars. */
import type { Costs, Ways } from "./operation.ts";

/** What happens in a month, but `storedGb`, which is there all the time. */
export interface Load {
  /** Over HTTP, beyond what the operations make; the rate limiter checks each, as it does all. */
  readonly requests: number;
  /** How many there are of each operation, by its option. */
  readonly operations: Readonly<Record<string, number>>;
  /** The share of requests, from 0 to 1, by callers who come so often that the rate limiter leases them tokens. */
  readonly often: number;
  readonly storedGb: number;
  /** Milliseconds that an object is awake for a call. */
  readonly activeMs: number;
}

/** What Cloudflare counts in a month. */
interface Usage {
  readonly workerRequests: number;
  readonly objectRequests: number;
  readonly gbSeconds: number;
  readonly rowsWritten: number;
  readonly storedGb: number;
}

/** What is included in the plan, and what a unit beyond it costs. */
interface Price {
  readonly name: string;
  readonly included: number;
  readonly dollars: number;
  /** How many units the dollars are for. */
  readonly per: number;
}

/**
 * Workers Paid, in US dollars a month. Sources: developers.cloudflare.com, /workers/platform/pricing/ and
 * /durable-objects/platform/pricing/, as of autumn 2026.
 */
export const PRICES_AS_OF = "autumn 2026";
export const PLAN_DOLLARS = 5;
export const PRICES: { readonly [K in keyof Usage]: Price } = {
  workerRequests: { name: "Worker requests", included: 10_000_000, dollars: 0.3, per: 1_000_000 },
  objectRequests: { name: "object requests", included: 1_000_000, dollars: 0.15, per: 1_000_000 },
  gbSeconds: { name: "object GB-seconds", included: 400_000, dollars: 12.5, per: 1_000_000 },
  rowsWritten: { name: "rows written", included: 50_000_000, dollars: 1, per: 1_000_000 },
  storedGb: { name: "stored GB", included: 5, dollars: 0.2, per: 1 },
};

/** Incoming WebSocket messages that are billed as one request. */
const MESSAGES_PER_REQUEST = 20;
/** An awake object is billed as 128 MB, whatever it uses. */
const OBJECT_GB = 0.128;
const SECONDS_PER_MONTH = 30 * 24 * 60 * 60;

/** What a load comes to, in our way or in the article's. */
export function usageOf(load: Load, way: keyof Ways, { operations, check }: Costs): Usage {
  const made = operations.map((operation) => ({ ...operation, times: load.operations[operation.option] ?? 0 }));
  const sum = (each: (operation: (typeof made)[number]) => number) =>
    made.reduce((sofar, operation) => sofar + operation.times * each(operation), 0);
  const calls = sum((operation) => operation.calls ?? 1);
  const messages = sum((operation) => inWay(operation.messages, way));
  const alarms = sum((operation) => inWay(operation.alarms, way));
  const requests = load.requests + calls;
  const checks = check ? requests : 0;
  // A check asks the limiter's object, unless a lease pays for it. The article has none.
  const paid = way === "ours" && check ? checks * load.often * (1 - check.callsWhenOften) : 0;
  const asked = checks - paid + calls + alarms;
  return {
    workerRequests: requests,
    objectRequests: asked + messages / MESSAGES_PER_REQUEST,
    gbSeconds: ((asked + messages) * load.activeMs * OBJECT_GB) / 1_000,
    rowsWritten: checks * (check?.[way] ?? 0) + sum((operation) => operation[way]),
    storedGb: load.storedGb,
  };
}

const inWay = (number: number | Ways = 0, way: keyof Ways) => (typeof number === "number" ? number : number[way]);

/** Dollars for what is used of one thing beyond what is included. */
export function charge(used: number, { included, dollars, per }: Price): number {
  return (Math.max(used - included, 0) / per) * dollars;
}

/** One line of a bill. */
interface Line {
  readonly item: string;
  readonly used: number;
  readonly included: number;
  readonly dollars: number;
}
export interface Bill {
  readonly lines: readonly Line[];
  /** With the plan itself. */
  readonly total: number;
}

export function billOf(usage: Usage): Bill {
  const items = [
    [usage.workerRequests, PRICES.workerRequests],
    [usage.objectRequests, PRICES.objectRequests],
    [usage.gbSeconds, PRICES.gbSeconds],
    [usage.rowsWritten, PRICES.rowsWritten],
    [usage.storedGb, PRICES.storedGb],
  ] as const;
  const lines = items.map(([used, price]) => ({
    item: price.name,
    used,
    included: price.included,
    dollars: charge(used, price),
  }));
  return { lines, total: PLAN_DOLLARS + lines.reduce((sum, { dollars }) => sum + dollars, 0) };
}

const MULTIPLES: Readonly<Record<string, number>> = { "": 1, k: 1e3, M: 1e6, G: 1e9 };

/** Operations in a month from what people write: `5M`, `200k`, `50/s`. Undefined where it is none of these. */
export function parseAmount(written: string): number | undefined {
  const [, digits, multiple = "", perSecond] = /^(\d+(?:\.\d+)?)([kMG]?)(\/s)?$/.exec(written) ?? [];
  if (digits === undefined) return undefined;
  return Number(digits) * (MULTIPLES[multiple] ?? 1) * (perSecond ? SECONDS_PER_MONTH : 1);
}
