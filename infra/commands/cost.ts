/** `npm run cost`: what a load costs in a month, in our way and in the article's. */
import { Command, InvalidArgumentError, Option } from "commander";
import { table } from "../common/table.ts";
import { type Bill, billOf, PLAN_DOLLARS, PRICES_AS_OF, parseAmount, usageOf } from "../cost/bill.ts";
import { costs } from "../cost/patterns.ts";
import { runCommand } from "./command.ts";

const amount = (written: string): number => {
  const parsed = parseAmount(written);
  if (parsed === undefined) throw new InvalidArgumentError("Write 1000, 200k, 5M or 50/s.");
  return parsed;
};

const percent = (written: string): number => {
  const share = /^\d+(\.\d+)?$/.test(written) ? Number(written) / 100 : Number.NaN;
  if (share >= 0 && share <= 1) return share;
  throw new InvalidArgumentError("Write a number from 0 to 100.");
};

const { operations, check } = await costs();
const options = operations.map(({ option, says }) => ({
  option,
  asked: new Option(`--${option} <n>`, says).argParser(amount).default(0),
}));

const program = new Command("npm run cost --")
  .description("A month's bill at Cloudflare (Workers Paid) for a load, beside the article's way of doing the same.")
  .option("--requests <n>", "HTTP requests beyond those below", amount, 0)
  .option("--stored-gb <n>", "GB in all objects", amount, 0)
  .option("--active-ms <n>", "milliseconds that an object is awake for a call", amount, 5)
  .option("--json", "as JSON")
  .addHelpText(
    "after",
    `
Amounts are per month: 1000, 200k, 5M; or per second: 50/s.${
      check
        ? `
Every HTTP request and every connection is checked by the rate limiter, which is
counted too.`
        : ""
    }
Not counted: CPU time of the Worker, Workers Logs, rows read (25 billion are
included), KV and R2, deletions of whole objects, and the alarms by which
objects tidy up, deliver, or publish later. Not for the Free plan, which has
limits a day (docs/scale.md).
Prices as of ${PRICES_AS_OF}; the rows that an operation writes are held by tests.`,
  );
if (check) program.option("--often <percent>", "of all requests, by callers with ten a second or more", percent, 0);
for (const { asked } of options) program.addOption(asked);
program.action(bill);

function bill(): void {
  const numberAt = (attribute: string) => Number(program.getOptionValue(attribute));
  const load = {
    requests: numberAt("requests"),
    operations: Object.fromEntries(options.map(({ option, asked }) => [option, numberAt(asked.attributeName())])),
    often: check ? numberAt("often") : 0,
    storedGb: numberAt("storedGb"),
    activeMs: numberAt("activeMs"),
  };
  if ([load.requests, load.storedGb, ...Object.values(load.operations)].every((value) => value === 0)) {
    program.error("error: there is no load; say what happens in a month, e.g. --requests 50/s --stored-gb 5");
  }
  const ours = billOf(usageOf(load, "ours", { operations, check }));
  const articles = billOf(usageOf(load, "articles", { operations, check }));
  const isJson = program.getOptionValue("json") === true;
  console.log(isJson ? JSON.stringify({ load, ours, articles }, null, 2) : billTable(ours, articles));
}

function billTable(ours: Bill, articles: Bill): string {
  const rows = ours.lines.map((line, i) => {
    const other = articles.lines[i];
    return [line.item, count(line.included), count(line.used), usd(line.dollars)].concat(
      other ? [count(other.used), usd(other.dollars)] : [],
    );
  });
  const head = ["a month", "included", "ours", "$", "article's way", "$"];
  const plan = ["the plan", "", "", usd(PLAN_DOLLARS), "", usd(PLAN_DOLLARS)];
  const total = ["total", "", "", usd(ours.total), "", usd(articles.total)];
  return table([head, ...rows, plan, total], { figures: true });
}

function count(value: number): string {
  return new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 }).format(value);
}

function usd(value: number): string {
  return value.toFixed(2);
}

await runCommand(program);
