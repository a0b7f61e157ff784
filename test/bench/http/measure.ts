/** Measures a route on both Workers, in turn, and judges the result. */
import type { Route } from "../measure.ts";
import { type Load, load, requestOf } from "./driver.ts";
import { ADMIN } from "./routes.ts";
import { type Servers, WORKERS, type WorkerName } from "./workerd.ts";

/** Cloudflare says where each request comes from. */
const FROM_CLOUDFLARE = { "CF-Connecting-IP": "192.0.2.1" };

/** How long a route is measured. */
export interface Effort {
  readonly warmUpMs: number;
  readonly runMs: number;
  readonly runs: number;
}

/** Of one Worker, the medians of all runs. */
export interface Speed {
  /** Requests a second. */
  readonly requests: number;
  /** Microseconds of CPU time for a request; undefined where the system does not tell. */
  readonly cpuUs: number | undefined;
}

export interface Outcome extends Readonly<Record<WorkerName, Speed>> {
  readonly title: string;
  readonly concurrency: number;
  /** Our requests a second as a share of the bare Worker's. */
  readonly share: number;
  /** Our CPU time as a multiple of the bare Worker's. */
  readonly cpu: number | undefined;
}

/** The goals: the least share, alone and with others, and the most CPU. */
export const leastShare = (concurrency: number): number => (concurrency === 1 ? 0.75 : 0.65);
export const MOST_CPU = 1.5;

/** Sends the requests of a route to a Worker, for so many milliseconds. Returns requests a second. */
export async function loadOf(url: string, route: Route): Promise<(more: More) => Promise<number>> {
  const headers = { ...ADMIN, ...FROM_CLOUDFLARE, ...(await route.prepare?.(url)) };
  const request = requestOf(url, route, headers);
  return (more) => load({ url, request, ...more });
}
type More = Pick<Load, "concurrency" | "ms">;

/**
 * The Workers take turns, so that what else the machine does meets both. Each run has its own ratio, and the outcome has
 * the median of them.
 */
export async function measure(
  { urls, cpuMs: spentMs }: Pick<Servers, "urls" | "cpuMs">,
  route: Route,
  concurrency: number,
  effort: Effort,
): Promise<Outcome> {
  const loads = { ours: await loadOf(urls.ours, route), bare: await loadOf(urls.bare, route) };
  for (const name of WORKERS) await loads[name]({ concurrency, ms: effort.warmUpMs });
  const runs: Record<WorkerName, Speed>[] = [];
  for (let run = 0; run < effort.runs; run++) {
    const timed = async (name: WorkerName): Promise<Speed> => {
      const before = spentMs();
      const requests = await loads[name]({ concurrency, ms: effort.runMs });
      const cpuMs = before === undefined ? undefined : (spentMs() ?? 0) - before;
      return { requests, cpuUs: cpuMs === undefined ? undefined : (cpuMs * 1e6) / (requests * effort.runMs) };
    };
    // Who goes first changes with every run.
    const first = run % 2 === 0 ? await timed("ours") : undefined;
    const bare = await timed("bare");
    runs.push({ ours: first ?? (await timed("ours")), bare });
  }
  const median = (of: (run: Record<WorkerName, Speed>) => number | undefined) => middle(runs.map(of));
  const speed = (name: WorkerName): Speed => ({
    requests: median((run) => run[name].requests) ?? 0,
    cpuUs: median((run) => run[name].cpuUs),
  });
  return {
    title: route.title,
    concurrency,
    ours: speed("ours"),
    bare: speed("bare"),
    share: median((run) => run.ours.requests / run.bare.requests) ?? 0,
    cpu: median((run) => run.ours.cpuUs && run.bare.cpuUs && run.ours.cpuUs / run.bare.cpuUs),
  };
}

/** The least share of what workerd answers alone that comes through the local account's front door. */
export const LEAST_THROUGH_ACCOUNT = 0.85;

function middle(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  return known.length === values.length ? known[Math.floor(known.length / 2)] : undefined;
}

/** What a route misses of its goals. */
export function shortfalls({ title, concurrency, share, cpu }: Outcome): string[] {
  const least = leastShare(concurrency);
  const at = `${title}, c=${concurrency}`;
  return [
    ...(share < least
      ? [`${at}: ${percent(share)} of the bare Worker's requests/s, the goal is ${percent(least)}`]
      : []),
    ...(concurrency > 1 && cpu !== undefined && cpu > MOST_CPU
      ? [`${at}: ${cpu.toFixed(2)} x the bare Worker's CPU, the goal is at most ${MOST_CPU} x`]
      : []),
  ];
}

export const percent = (share: number): string => `${Math.round(share * 100)} %`;
