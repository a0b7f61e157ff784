/** Runs a measure several times, on all its sides in turn, and takes the median. */
import * as v from "valibot";
import { type Measure, SIDES, type Side } from "./measure.ts";

/** How long and how often to run a measure. */
export interface Effort {
  readonly warmUpMs: number;
  readonly runMs: number;
  /** An odd number, so that there is a middle run. */
  readonly runs: number;
}

/** Operations per second: of the middle, the slowest and the fastest run. */
export interface Rate {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Outcome {
  readonly measure: Measure;
  readonly naive: Rate;
  readonly ours: Rate;
  readonly floor: Rate;
}

const Result = v.object({ operations: v.number(), ms: v.number() });

/** Runs one measure. The sides take turns, so that other load on the machine slows all of them. */
export async function runMeasure(url: string, measure: Measure, effort: Effort): Promise<Outcome> {
  const rates: Record<Side, number[]> = { naive: [], ours: [], floor: [] };
  for (const side of SIDES) await run(url, measure, side, effort.warmUpMs);
  for (let i = 0; i < effort.runs; i++) {
    for (const side of SIDES) rates[side].push(await run(url, measure, side, effort.runMs));
  }
  return { measure, naive: rateOf(rates.naive), ours: rateOf(rates.ours), floor: rateOf(rates.floor) };
}

/** One run. Returns its operations per second. */
async function run(url: string, { subject, concurrency }: Measure, side: Side, ms: number): Promise<number> {
  const response = await fetch(url, { method: "POST", body: JSON.stringify({ subject, side, concurrency, ms }) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${subject}, ${side}: ${response.status} ${text}`);
  const result = v.parse(Result, JSON.parse(text));
  return (result.operations * 1_000) / Math.max(result.ms, 1);
}

function rateOf(rates: readonly number[]): Rate {
  const sorted = rates.toSorted((a, b) => a - b);
  const at = (index: number) => Math.round(sorted[index] ?? 0);
  return { median: at(Math.floor(sorted.length / 2)), min: at(0), max: at(sorted.length - 1) };
}

/** The goals that an outcome misses; empty if it meets all. */
export function shortfalls({ measure, naive, ours, floor }: Outcome): string[] {
  const what = `${measure.title}, c=${measure.concurrency}`;
  const times = ours.median / naive.median;
  const share = ours.median / floor.median;
  const { timesNaive, shareOfFloor } = measure;
  return [
    ...(times < timesNaive ? [`${what}: ${times.toFixed(1)} times the article's way, must be ${timesNaive}`] : []),
    ...(shareOfFloor !== undefined && share < shareOfFloor
      ? [`${what}: ${percent(share)} of the floor, must be ${percent(shareOfFloor)}`]
      : []),
  ];
}

export const percent = (share: number) => `${Math.round(share * 100)} %`;
