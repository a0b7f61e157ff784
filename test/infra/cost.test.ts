/** A month's bill: what is counted, what is included, and what the rest costs. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { billOf, charge, type Load, PLAN_DOLLARS, PRICES, parseAmount, usageOf } from "../../infra/cost/bill.ts";
import { ARTICLES, OURS } from "../../infra/cost/rows.ts";
import { ROOT } from "../../infra/release/root.ts";

const NOTHING: Load = {
  requests: 0,
  sessions: 0,
  sessionReads: 0,
  increments: 0,
  busyIncrements: 0,
  transfers: 0,
  messages: 0,
  sockets: 0,
  storedGb: 0,
  activeMs: 5,
};
const lineOf = (bill: ReturnType<typeof billOf>, item: string) => bill.lines.find((line) => line.item === item);

it("no load costs the plan", () => {
  expect(billOf(usageOf(NOTHING, OURS)).total).toBe(PLAN_DOLLARS);
});

it("what is included is free, to the last unit", () => {
  for (const price of Object.values(PRICES)) {
    expect(charge(price.included, price)).toBe(0);
    expect(charge(price.included + price.per, price)).toBeCloseTo(price.dollars);
  }
});

it("each operation is a request to the Worker, one to the limiter and one to its object", () => {
  expect(usageOf({ ...NOTHING, transfers: 100 }, OURS)).toMatchObject({ workerRequests: 100, objectRequests: 200 });
  expect(usageOf({ ...NOTHING, requests: 100 }, OURS)).toMatchObject({ workerRequests: 100, objectRequests: 100 });
});

it("twenty messages are one request; a socket is one connection a day", () => {
  expect(usageOf({ ...NOTHING, messages: 100 }, OURS)).toMatchObject({ workerRequests: 0, objectRequests: 5 });
  expect(usageOf({ ...NOTHING, sockets: 10 }, OURS)).toMatchObject({ workerRequests: 300, objectRequests: 600 });
});

it("rows are those of the operation and of its check", () => {
  const rows = (load: Partial<Load>, way = OURS) => usageOf({ ...NOTHING, ...load }, way).rowsWritten;
  expect(rows({ requests: 1_000 })).toBeCloseTo(1_000 * OURS.check);
  expect(rows({ transfers: 1_000 })).toBeCloseTo(1_000 * (OURS.transfer + OURS.check));
  expect(rows({ messages: 1_000 })).toBeCloseTo(1_000 * OURS.message);
  expect(rows({ sessionReads: 1_000 }, ARTICLES)).toBeCloseTo(1_000 * (ARTICLES.sessionRead + ARTICLES.check));
});

it("a known load costs what it comes to by hand", () => {
  // 100 million requests, each only checked: 90 M over the plan's at 0.30, 99 M object requests at 0.15.
  const bill = billOf(usageOf({ ...NOTHING, requests: 100e6 }, ARTICLES));
  expect(lineOf(bill, "Worker requests")?.dollars).toBeCloseTo(27);
  expect(lineOf(bill, "object requests")?.dollars).toBeCloseTo(14.85);
  // 100 M rows, half of them included.
  expect(lineOf(bill, "rows written")?.dollars).toBeCloseTo(50);
  // 100 M calls of 5 ms at 0.128 GB are 64,000 GB-s, all included.
  expect(lineOf(bill, "object GB-seconds")).toMatchObject({ used: 64_000, dollars: 0 });
  expect(bill.total).toBeCloseTo(96.85);
});

it.each([
  ["1000", 1_000],
  ["200k", 200_000],
  ["1.5M", 1_500_000],
  ["50/s", 129_600_000],
  ["2k/s", 5_184_000_000],
  ["", undefined],
  ["-1", undefined],
  ["5m", undefined],
  ["1e6", undefined],
  ["5/h", undefined],
])("%j a month is %s", (written, amount) => {
  expect(parseAmount(written)).toBe(amount);
});

const cost = (...args: string[]) =>
  spawnSync(process.execPath, [join(ROOT, "infra/commands/cost.ts"), ...args], { encoding: "utf8" });

it("the command prints both ways as a table, and as JSON", () => {
  const { status, stdout } = cost("--requests", "50/s", "--messages", "5M");
  expect(status).toBe(0);
  expect(stdout).toMatch(/^total +\d+\.\d\d +\d+\.\d\d$/m);
  const { ours, articles } = JSON.parse(cost("--requests", "50/s", "--json").stdout);
  expect(ours.total).toBeLessThan(articles.total);
});

it("the command refuses what is no amount, and no load at all", () => {
  expect(cost("--requests", "lots")).toMatchObject({ status: 1, stderr: expect.stringContaining("50/s") });
  expect(cost()).toMatchObject({ status: 1, stderr: expect.stringContaining("no load") });
});
