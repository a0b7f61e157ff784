/** `npm run cost`: what a load costs in a month, in our way and in the article's. */
import { Command, InvalidArgumentError } from "commander";
import { type Bill, billOf, type Load, PLAN_DOLLARS, PRICES_AS_OF, parseAmount, usageOf } from "../cost/bill.ts";
import { ARTICLES, OURS } from "../cost/rows.ts";

const amount = (written: string): number => {
  const parsed = parseAmount(written);
  if (parsed === undefined) throw new InvalidArgumentError("Write 1000, 200k, 5M or 50/s.");
  return parsed;
};

const program = new Command("npm run cost --")
  .description("A month's bill at Cloudflare (Workers Paid) for a load, beside the article's way of doing the same.")
  .option("--requests <n>", "HTTP requests beyond those below", amount, 0)
  .option("--sessions <n>", "sessions created", amount, 0)
  .option("--session-reads <n>", "reads of sessions", amount, 0)
  .option("--increments <n>", "changes of counters with one caller at a time", amount, 0)
  .option("--busy-increments <n>", "changes of counters with many callers at once", amount, 0)
  .option("--transfers <n>", "transfers in ledgers", amount, 0)
  .option("--messages <n>", "messages that clients say in rooms", amount, 0)
  .option("--sockets <n>", "sockets that are open at a time, each connecting once a day", amount, 0)
  .option("--stored-gb <n>", "GB in all objects", amount, 0)
  .option("--active-ms <n>", "milliseconds that an object is awake for a call", amount, 5)
  .option("--json", "as JSON")
  .addHelpText(
    "after",
    `
Amounts are per month: 1000, 200k, 5M; or per second: 50/s. Every HTTP request and
every connection is checked by the rate limiter, which is counted too.
Not counted: CPU time of the Worker, rows read (25 billion are included), KV and R2.
Prices as of ${PRICES_AS_OF}; the rows that an operation writes are held by tests.`,
  )
  .parse();

const { json, ...load } = program.opts<Load & { json?: true }>();
if (Object.entries(load).every(([option, value]) => option === "activeMs" || value === 0)) {
  program.error("error: there is no load; say what happens in a month, e.g. --requests 50/s --messages 5M");
}
const ours = billOf(usageOf(load, OURS));
const articles = billOf(usageOf(load, ARTICLES));
console.log(json ? JSON.stringify({ load, ours, articles }, null, 2) : table(ours, articles));

function table(ours: Bill, articles: Bill): string {
  const rows = ours.lines.map((line, i) => {
    const other = articles.lines[i];
    return [line.item, count(line.included), count(line.used), usd(line.dollars)].concat(
      other ? [count(other.used), usd(other.dollars)] : [],
    );
  });
  const all = [
    ["a month", "included", "ours", "$", "article's way", "$"],
    ...rows,
    ["the plan", "", "", usd(PLAN_DOLLARS), "", usd(PLAN_DOLLARS)],
    ["total", "", "", usd(ours.total), "", usd(articles.total)],
  ];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  "),
    )
    .join("\n");
}

function count(value: number): string {
  return new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 }).format(value);
}

function usd(value: number): string {
  return value.toFixed(2);
}
