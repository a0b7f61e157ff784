/** Helpers of the chaos tests: a seed to repeat a run, faults, and a tally of what was done. */
import { abortAllDurableObjects, evictAllDurableObjects, runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, expect, inject, vi } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    chaos: { seed: number; operations: number };
  }
}

export const { seed, operations } = inject("chaos");

beforeEach(() => {
  // The request log would hide the reports of the tests.
  for (const level of ["log", "warn", "error"] as const) vi.spyOn(console, level).mockImplementation(() => {});
});

/** Gives the tests of a file their own clock, which faults and tests may move. */
export function useOwnClock(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
}

/** Random numbers from a seed (mulberry32), to repeat a run. */
export class Dice {
  #state: number;

  constructor(state: number) {
    this.#state = state;
  }

  /** From 0 to 1, without 1. */
  roll(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `min` to `max`. */
  whole(min: number, max: number): number {
    return min + Math.floor(this.roll() * (max - min + 1));
  }

  chance(probability: number): boolean {
    return this.roll() < probability;
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.whole(0, items.length - 1)] ?? items[0];
  }
}

/** Counts events by name. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(what: string, times = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + times);
  }

  /** How often something was counted. */
  of(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  /** Prints one line, whether the test passes or not. Names that begin with `× ` are faults. */
  report(suite: string, done: number, violations: number): void {
    const counts = [...this.#counts];
    const faults = counts.reduce((sum, [what, count]) => sum + (what.startsWith("×") ? count : 0), 0);
    const details = counts.map(([what, count]) => `${count} ${what}`).join(", ");
    console.info(
      `${suite}, CHAOS_SEED=${seed}: ${done} operations, ${faults} faults, ${violations} violations (${details})`,
    );
  }
}

/** This share of the operations comes with a fault. */
const FAULTS_PER_OPERATION = 0.1;
const FAULTS = ["hibernation", "eviction", "crash", "alarm early", "alarm late", "alarm twice", "clock step"] as const;
const LATE_MS = 10_000;

/** A run of so many operations has every fault. */
const ENOUGH = 1_000;
/** What an object says that another fault has just crashed. */
const CRASHED = /abortAllDurableObjects|reset/;

/** Causes a random fault beside one operation in ten. `stub` gives a new stub each time: one that saw a crash is broken. */
export async function maybeFault(dice: Dice, tally: Tally, stub: () => DurableObjectStub): Promise<void> {
  if (!dice.chance(FAULTS_PER_OPERATION)) return;
  const kind = dice.pick(FAULTS);
  try {
    if (kind === "hibernation") await evictAllDurableObjects();
    else if (kind === "eviction") await evictAllDurableObjects({ webSockets: "close" });
    else if (kind === "crash") await abortAllDurableObjects();
    else if (kind === "clock step") vi.setSystemTime(Date.now() + dice.whole(-20_000, 20_000));
    else {
      if (kind === "alarm late") vi.setSystemTime(Date.now() + LATE_MS);
      for (let i = 0; i < (kind === "alarm twice" ? 2 : 1); i++) await runDurableObjectAlarm(stub());
    }
  } catch (error) {
    if (!CRASHED.test(String(error))) throw error;
    tally.add("faults cut off");
    return;
  }
  tally.add(`× ${kind}`);
}

/** Fails if a run was too quiet to show anything: every fault came, unless the run was short, and few were cut off. */
export function expectFaults(tally: Tally, done: number): void {
  const missing = FAULTS.filter((kind) => tally.of(`× ${kind}`) === 0);
  if (done >= ENOUGH) expect(missing, "faults that never came").toEqual([]);
  expect(tally.of("faults cut off"), "faults cut off").toBeLessThan(Math.max((done * FAULTS_PER_OPERATION) / 10, 5));
}

/** Repeats an idempotent call until it succeeds, like a client whose answers get lost. */
export async function insist<T>(tally: Tally, attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch {
      tally.add("retries");
      await scheduler.wait(1);
    }
  }
}
