/**
 * Ends a workerd whose Workers compute for too long when they start. An upload that does so is refused before
 * (prober.ts); this is for one that does so only here, with its real bindings.
 */
import type { ChildProcess } from "node:child_process";
import { ApiError } from "../errors.ts";
import type { State } from "../model.ts";
import { serviceName } from "./names.ts";
import { mainThreadCpuMsOf } from "./process.ts";
import type { Service } from "./projection.ts";

const LOOK_MS = 50;
/** What workerd itself may take. */
const OWN_MS = 2_000;
/** A version may take this many times as long as when it was uploaded. */
const FACTOR = 3;
/** Where the CPU time is not known, it has this many times its limit by the clock. */
const CLOCK_FACTOR = 4;

/** How long the services of a state may compute when they start, all together, in milliseconds. */
export function startLimitOf(services: readonly Pick<Service, "name">[], state: State): number {
  const names = new Set(services.map(({ name }) => name));
  return [...state.versions.values()]
    .filter((version) => {
      const worker = state.workers.get(version.workerId);
      return worker !== undefined && names.has(serviceName(state, worker, version));
    })
    .reduce((sum, { startupTimeMs }) => sum + FACTOR * startupTimeMs, OWN_MS);
}

/** Waits for a start of workerd, and ends it if its CPU time is over the limit. @throws ApiError 10021. */
export async function startWithin<T>(
  limitMs: number,
  running: () => ChildProcess | undefined,
  start: () => Promise<T>,
): Promise<T> {
  const began = performance.now();
  let isOver = false;
  const timer = setInterval(() => {
    const child = running();
    const spent = mainThreadCpuMsOf(child?.pid) ?? (performance.now() - began) / CLOCK_FACTOR;
    if (child === undefined || spent < limitMs) return;
    isOver = true;
    child.kill("SIGKILL");
  }, LOOK_MS);
  try {
    return await start();
  } catch (error) {
    if (!isOver) throw error;
    throw new ApiError(
      400,
      10021,
      `Script startup exceeded CPU time limit: the account's Workers did not start within ${limitMs} ms of CPU time. Move work from the top level of the modules into a handler.`,
    );
  } finally {
    clearInterval(timer);
  }
}
