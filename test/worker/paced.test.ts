/** What is done at most once in a while. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Paced } from "../../worker/objects/paced.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

it("is done at once, and once more for all who ask in the next moment", () => {
  const act = vi.fn();
  const paced = new Paced(100, act);
  for (let asked = 0; asked < 5; asked++) paced.soon();
  expect(act).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(99);
  expect(act).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1);
  expect(act).toHaveBeenCalledTimes(2);
  vi.advanceTimersByTime(1_000);
  expect(act).toHaveBeenCalledTimes(2);
});

it("is done at once if the clock went back since the last time", () => {
  const act = vi.fn();
  const paced = new Paced(100, act);
  paced.soon();
  vi.setSystemTime(0);
  paced.soon();
  expect(act).toHaveBeenCalledTimes(2);
});
