/** Cron triggers fire by themselves, once for each minute in which they are due. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Clockwork } from "../src/clockwork.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: new Date("2026-03-01T10:13:20Z") });
});
afterEach(() => vi.useRealTimers());

const schedules = (...crons: readonly string[]) => crons.map((cron) => ({ cron, createdOn: "", modifiedOn: "" }));

it("fires what is due at each full minute, tells what fails, and stops", async () => {
  const fired: string[] = [];
  const problems: string[] = [];
  const clockwork = new Clockwork({
    workers: () => [
      { name: "throws", schedules: schedules("* * * * *") },
      { name: "fails", schedules: schedules("14 * * * *") },
      { name: "good", schedules: schedules("*/15 * * * *", "16 10 * * *") },
    ],
    async fire({ name }, cron) {
      fired.push(`${new Date().toISOString().slice(11, 19)} ${name} ${cron}`);
      if (name === "throws") throw new Error("no deployment");
      return name === "fails" ? "exception" : "ok";
    },
    onProblem: (line) => problems.push(line),
  });
  clockwork.start();
  await vi.advanceTimersByTimeAsync(39_000);
  expect(fired).toEqual([]);
  await vi.advanceTimersByTimeAsync(3 * 60_000);
  clockwork.stop();
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(fired).toEqual([
    "10:14:00 throws * * * * *",
    "10:14:00 fails 14 * * * *",
    "10:15:00 throws * * * * *",
    "10:15:00 good */15 * * * *",
    "10:16:00 throws * * * * *",
    "10:16:00 good 16 10 * * *",
  ]);
  expect(problems).toContain("fails: the cron trigger '14 * * * *' ended with exception");
  expect(problems).toContain("throws: the cron trigger '* * * * *' could not be fired: Error: no deployment");
});

it("fires nothing before its time where the machine has slept over a minute, and the next minute in time", async () => {
  const fired: string[] = [];
  const clockwork = new Clockwork({
    workers: () => [{ name: "good", schedules: schedules("* * * * *") }],
    async fire(_, __, at) {
      fired.push(`${new Date().toISOString().slice(11, 19)} due ${new Date(at).toISOString().slice(11, 19)}`);
      return "ok";
    },
    onProblem: (line) => expect.fail(line),
  });
  clockwork.start();
  vi.setSystemTime(new Date("2026-03-01T10:59:55Z"));
  await vi.advanceTimersByTimeAsync(2 * 60_000);
  clockwork.stop();
  expect(fired).toEqual(["11:00:35 due 11:00:00", "11:01:00 due 11:01:00"]);
});

it("tells a trigger the minute in which it was due, and fires none twice if the clock is set back by a moment", async () => {
  const fired: string[] = [];
  const clockwork = new Clockwork({
    workers: () => [{ name: "good", schedules: schedules("* * * * *") }],
    async fire(_, __, at) {
      fired.push(new Date(at).toISOString());
      // As a time server does, just behind the minute.
      if (fired.length === 1) vi.setSystemTime(new Date("2026-03-01T10:13:59.900Z"));
      return "ok";
    },
    onProblem: (line) => expect.fail(line),
  });
  clockwork.start();
  await vi.advanceTimersByTimeAsync(2 * 60_000);
  clockwork.stop();
  expect(fired).toEqual(["2026-03-01T10:14:00.000Z", "2026-03-01T10:15:00.000Z"]);
});
