/** `npm run bench`: measures and prints a table; with --check, judges it; with --publish, puts it into docs/bench/. */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { Command, Option } from "commander";
import { ROOT } from "../../infra/release/root.ts";
import { type Crowd, runCrowd, workerdMemory } from "./crowd.ts";
import { MEASURES } from "./measures.ts";
import { chart, crowdLine, page, table } from "./report.ts";
import { type Effort, type Outcome, runMeasure, shortfalls } from "./run.ts";
import { startBench } from "./runtime.ts";

const FULL: Effort = { warmUpMs: 1_000, runMs: 1_500, runs: 5 };
const QUICK: Effort = { warmUpMs: 200, runMs: 300, runs: 3 };

interface Options {
  check?: true;
  publish?: true;
  quick?: true;
  only?: string;
}

const options = new Command("npm run bench --")
  .description("Operations per second in workerd: the article's way, ours, and an object that stores nothing.")
  .option("--check", "fail where a ratio is under what it must be")
  .addOption(
    new Option("--publish", "write results.md, results.json and chart.svg into docs/bench").conflicts([
      "quick",
      "only",
    ]),
  )
  .option("--quick", "short runs, for a first look")
  .option("--only <subject>", "limiter, counter, transfer, session, chat, plain-chat or crowd")
  .parse()
  .opts<Options>();

const { check, publish, quick, only } = options;
const SUBJECTS = [...MEASURES.map(({ subject }) => subject), "crowd"];
if (only !== undefined && !SUBJECTS.includes(only)) {
  console.error(`error: nothing is called "${only}"; there are: ${[...new Set(SUBJECTS)].join(", ")}`);
  process.exit(1);
}

const bench = await startBench();
try {
  const outcomes: Outcome[] = [];
  for (const measure of MEASURES.filter(({ subject }) => only === undefined || subject === only)) {
    console.error(`${measure.title}, c=${measure.concurrency} …`);
    outcomes.push(await runMeasure(bench.url, measure, quick ? QUICK : FULL));
  }
  if (outcomes.length > 0) console.log(table(outcomes));

  let lost = false;
  if (only === undefined || only === "crowd") {
    console.error("a full room …");
    const crowd = await runCrowd(bench.url, workerdMemory);
    lost = crowd.received !== crowd.expected || crowd.wrong > 0;
    console.log(`\n${crowdLine(crowd)}`);
    if (publish) write(outcomes, crowd);
  }

  const short = [...outcomes.flatMap(shortfalls), ...(lost ? ["a full room: messages were lost"] : [])];
  for (const shortfall of short) console.error(`under: ${shortfall}`);
  if (check && short.length > 0) process.exitCode = 1;
} finally {
  await bench.close();
}

function write(outcomes: readonly Outcome[], crowd: Crowd): void {
  const dir = join(ROOT, "docs/bench");
  mkdirSync(dir, { recursive: true });
  const machine = {
    cores: cpus().length,
    model: cpus()[0]?.model ?? "unknown",
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
  const results = { date: new Date().toISOString().slice(0, 10), machine, outcomes, crowd };
  writeFileSync(join(dir, "results.json"), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(join(dir, "results.md"), page(results));
  writeFileSync(join(dir, "chart.svg"), chart(outcomes));
  console.error("written: results.md, results.json and chart.svg in docs/bench");
}
