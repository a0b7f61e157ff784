/** Which cron expressions the account takes: Cloudflare's, whose weekdays begin with 1. */
import { expect, it } from "vitest";
import { cronFault, isDue } from "../src/cron.ts";

it.each([
  "* * * * *",
  "*/5 * * * *",
  "0 22 * * 1",
  "15,45 9-17/2 * JAN-MAR MON-FRI",
  "59 23 LW * *",
  "0 0 15W 12 *",
  "0 12 * * 6#3",
  "0 12 * * FRIL",
  "50-10 22-2 28-3 NOV-FEB SAT-SUN",
  "0 20-4/2 * * *",
  "0 0 L-3 * *",
  "0 0 L-30W * *",
])("takes %s", (expression) => {
  expect(cronFault(expression)).toBeUndefined();
});

it.each([
  ["0 22 * * 0", "weekday: '0' must be 1 to 7, or SUN to SAT"],
  ["60 * * * *", "minute: '60' must be 0 to 59"],
  ["* 24 * * *", "hour: '24'"],
  ["* * 0 * *", "day of the month: '0'"],
  ["* * * 13 *", "month: '13' must be 1 to 12, or JAN to DEC"],
  ["* * * * MO", "weekday: 'MO'"],
  ["*/0 * * * *", "minute: '*/0' must have one step of 1 to 59"],
  ["*/60 * * * *", "minute: '*/60' must have one step of 1 to 59"],
  ["* * * * */7", "weekday: '*/7' must have one step of 1 to 6"],
  ["* * L-0 * *", "day of the month: 'L-0'"],
  ["* * L-31W * *", "day of the month: 'L-31W'"],
  ["* * 1,L * *", "day of the month: 'L' must be alone"],
  ["* * * * 6#3,1", "weekday: '6#3' must be alone"],
  ["1-2-3 * * * *", "is no range"],
  ["L * * * *", "minute: 'L'"],
  ["* * * *", "it has 4 fields and must have 5"],
  ["@daily", "it has 1 fields"],
  ["* * * * * *", "it has 6 fields"],
  [", * * * *", "minute: ''"],
])("refuses %s and says where", (expression, fault) => {
  expect(cronFault(expression)).toContain(fault);
});

// 2026-02-28 is a Saturday, 2026-03-01 a Sunday.
it.each([
  ["* * * * *", "2026-03-01T00:00Z", true],
  ["*/15 * * * *", "2026-03-01T10:45Z", true],
  ["*/15 * * * *", "2026-03-01T10:46Z", false],
  ["5/20 * * * *", "2026-03-01T10:45Z", true],
  ["0 9-17/2 * * *", "2026-03-01T11:00Z", true],
  ["0 9-17/2 * * *", "2026-03-01T12:00Z", false],
  ["0 0 1 MAR *", "2026-03-01T00:00Z", true],
  ["0 0 L * *", "2026-02-28T00:00Z", true],
  ["0 0 LW * *", "2026-02-27T00:00Z", true],
  ["0 0 1W * *", "2026-03-02T00:00Z", true],
  ["0 0 1W * *", "2026-03-01T00:00Z", false],
  ["0 0 * * 1", "2026-03-01T00:00Z", true],
  ["0 0 * * MON-FRI", "2026-03-01T00:00Z", false],
  ["0 0 * * SUN#1", "2026-03-01T00:00Z", true],
  ["0 0 * * SUN#2", "2026-03-01T00:00Z", false],
  ["0 0 * * SATL", "2026-02-28T00:00Z", true],
  ["0 0 * * SATL", "2026-02-21T00:00Z", false],
  ["0 0 13 * FRI", "2026-02-13T00:00Z", true],
  // One of the two is enough, unless the other is `*`.
  ["0 0 13 * FRI", "2026-02-20T00:00Z", true],
  ["0 0 13 * FRI", "2026-01-13T00:00Z", true],
  ["0 0 13 * FRI", "2026-02-14T00:00Z", false],
  ["0 0 13 * *", "2026-02-20T00:00Z", false],
  ["0 0 * * FRI", "2026-01-13T00:00Z", false],
  ["0 0 13 MAR FRI", "2026-02-13T00:00Z", false],
  ["0 0 * * SAT-SUN", "2026-02-28T00:00Z", true],
  ["0 0 * * SAT-SUN", "2026-03-01T00:00Z", true],
  ["0 0 * * SAT-SUN", "2026-03-02T00:00Z", false],
  ["0 0 * * SAT-SUN", "2026-02-27T00:00Z", false],
  ["0 23-0 * * *", "2026-03-01T23:00Z", true],
  ["0 23-0 * * *", "2026-03-01T00:00Z", true],
  ["0 23-0 * * *", "2026-03-01T01:00Z", false],
  ["0 20-4/2 * * *", "2026-03-01T22:00Z", true],
  ["0 20-4/2 * * *", "2026-03-01T04:00Z", true],
  ["0 20-4/2 * * *", "2026-03-01T21:00Z", false],
  ["0 20-4/2 * * *", "2026-03-01T06:00Z", false],
  ["0 21-4/2 * * *", "2026-03-01T01:00Z", true],
  ["0 0 L-3 * *", "2026-02-25T00:00Z", true],
  ["0 0 L-3 * *", "2026-02-28T00:00Z", false],
  ["0 0 L-30 * *", "2026-02-01T00:00Z", false],
  // 2026-03-29 is a Sunday, 2026-03-28 a Saturday.
  ["0 0 L-2W * *", "2026-03-30T00:00Z", true],
  ["0 0 L-2W * *", "2026-03-29T00:00Z", false],
  ["0 0 L-3W * *", "2026-03-27T00:00Z", true],
  ["0 0 31W * *", "2026-02-27T00:00Z", false],
])("%s at %s: due is %s", (expression, at, due) => {
  expect(cronFault(expression)).toBeUndefined();
  expect(isDue(expression, new Date(at))).toBe(due);
});
