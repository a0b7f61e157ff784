/** A month's bill: the usage, the included amounts, and the price of the rest. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { billOf, charge, type Load, PLAN_DOLLARS, PRICES, parseAmount, usageOf } from "../../infra/cost/bill.ts";
import { type Costs, type Operation, together } from "../../infra/cost/operation.ts";
import { costs } from "../../infra/cost/patterns.ts";
import { ROOT } from "../../infra/release/root.ts";

const vote: Operation = { option: "votes", says: "votes", ours: 4, articles: 3 };
const word: Operation = { option: "words", says: "words", calls: 0, messages: 1, ours: 1.1, articles: 1 };
const heard: Operation = {
  option: "heard",
  says: "heard",
  calls: 0,
  messages: { ours: 0.2, articles: 0 },
  ours: 0,
  articles: 0,
};
const visit: Operation = { option: "visits", says: "visits", calls: 30, ours: 0, articles: 0 };
const watch: Operation = {
  option: "watches",
  says: "watches",
  calls: 0,
  alarms: { ours: 100, articles: 0 },
  ours: 100,
  articles: 0,
};
const COSTS: Costs = {
  operations: [vote, word, heard, visit, watch],
  check: { ours: 0.1, articles: 1, callsWhenOften: 0.1 },
};
const NOTHING: Load = { requests: 0, operations: {}, often: 0, storedGb: 0, activeMs: 5 };

const usage = (load: Partial<Load>, way: "ours" | "articles" = "ours", all = COSTS) =>
  usageOf({ ...NOTHING, ...load }, way, all);
const lineOf = (bill: ReturnType<typeof billOf>, item: string) => bill.lines.find((line) => line.item === item);

it("without a load is the price of the plan", () => {
  expect(billOf(usage({})).total).toBe(PLAN_DOLLARS);
});

it("the included amount is free, to the last unit", () => {
  for (const price of Object.values(PRICES)) {
    expect(charge(price.included, price)).toBe(0);
    expect(charge(price.included + price.per, price)).toBeCloseTo(price.dollars);
  }
});

it("each operation is a request to the Worker, one to the limiter and one to its object", () => {
  expect(usage({ operations: { votes: 100 } })).toMatchObject({ workerRequests: 100, objectRequests: 200 });
  expect(usage({ requests: 100 })).toMatchObject({ workerRequests: 100, objectRequests: 100 });
});

it("without a limiter there are no checks", () => {
  const without = { ...COSTS, check: undefined };
  const asked = usage({ requests: 50, operations: { votes: 100 } }, "ours", without);
  expect(asked).toMatchObject({ workerRequests: 150, objectRequests: 100, rowsWritten: 400 });
});

it("checks of callers who come often are a tenth of the calls, in our way", () => {
  expect(usage({ requests: 100, often: 0.5 }).objectRequests).toBeCloseTo(55);
  expect(usage({ requests: 100, often: 0.5 }, "articles").objectRequests).toBe(100);
  expect(usage({ requests: 100, often: 0.5 }).gbSeconds).toBeCloseTo(usage({ requests: 55 }).gbSeconds);
});

it("twenty messages are one request; a socket that connects once a day is thirty calls", () => {
  expect(usage({ operations: { words: 100 } })).toMatchObject({ workerRequests: 0, objectRequests: 5 });
  expect(usage({ operations: { visits: 10 } })).toMatchObject({ workerRequests: 300, objectRequests: 600 });
});

it("messages that only our way sends are not counted in the article's", () => {
  expect(usage({ operations: { heard: 100 } }).objectRequests).toBeCloseTo(1);
  expect(usage({ operations: { heard: 100 } }, "articles").objectRequests).toBe(0);
});

it("an alarm is a request of its object, with its duration, and none of the Worker or the limiter", () => {
  const load = { operations: { watches: 1_000 } };
  expect(usage(load)).toMatchObject({ workerRequests: 0, objectRequests: 100_000, rowsWritten: 100_000 });
  expect(usage(load).gbSeconds).toBeCloseTo(usage({ requests: 100_000 }).gbSeconds);
  expect(usage(load, "articles")).toMatchObject({ objectRequests: 0, gbSeconds: 0 });
});

it("rows are those of the operation plus those of its check", () => {
  const rows = (load: Partial<Load>, way?: "ours" | "articles") => usage(load, way).rowsWritten;
  expect(rows({ requests: 1_000 })).toBeCloseTo(100);
  expect(rows({ operations: { votes: 1_000 } })).toBeCloseTo(4_100);
  expect(rows({ operations: { words: 1_000 } })).toBeCloseTo(1_100);
  expect(rows({ operations: { votes: 1_000 } }, "articles")).toBeCloseTo(4_000);
});

it("a known load costs what a calculation by hand gives", () => {
  // 100 million requests, each only checked: 90 M over the plan's at 0.30, 99 M object requests at 0.15.
  const bill = billOf(usage({ requests: 100e6 }, "articles"));
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
  const { status, stdout } = cost("--requests", "50/s", "--stored-gb", "10");
  expect(status).toBe(0);
  expect(stdout).toMatch(/^total +\d+\.\d\d +\d+\.\d\d$/m);
  const { ours, articles } = JSON.parse(cost("--requests", "50/s", "--json").stdout);
  expect(ours.total).toBeLessThanOrEqual(articles.total);
});

it("the command has an option for each operation of all patterns", async () => {
  const { operations } = await costs();
  const all = operations.flatMap(({ option }) => [`--${option}`, "1k"]);
  const { load } = JSON.parse(cost("--requests", "1", ...all, "--json").stdout);
  expect(load.operations).toEqual(Object.fromEntries(operations.map(({ option }) => [option, 1_000])));
  const twice = { operations: { vote } };
  expect(() => together([twice, twice])).toThrow("--votes");
});

it("the command refuses an invalid amount, and an empty load", () => {
  expect(cost("--requests", "lots")).toMatchObject({ status: 1, stderr: expect.stringContaining("50/s") });
  expect(cost()).toMatchObject({ status: 1, stderr: expect.stringContaining("no load") });
});
