/** A clock that stands still until a test moves it. A test that stops it calls `vi.useRealTimers` when it ends. */
import { vi } from "vitest";

/** Stops the clock, at this time (ms since the epoch). Timers go on. */
export function stopClock(at = Date.now()): void {
  vi.useFakeTimers({ toFake: ["Date"], now: at });
}

/** Moves the clock by so many milliseconds. */
export function pass(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}
