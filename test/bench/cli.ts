/** `npm run bench`: measures and prints a table; with --check, judges it; with --publish, puts it into docs/bench/. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "commander";
import { ROOT } from "../../infra/release/root.ts";
import { thisMachine, today } from "./machine.ts";
import type { Visited } from "./measure.ts";
import { workerdMemory } from "./memory.ts";
import { benches } from "./patterns.ts";
import { chart, page, table } from "./report.ts";
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

const all = await benches();
const measures = [...all.values()].flatMap((bench) => bench.measures);
const visits = [...all].flatMap(([folder, { visit }]) => (visit ? [{ folder, ...visit }] : []));
const SUBJECTS = [...new Set([...measures, ...visits].map(({ subject }) => subject))];

const options = new Command("npm run bench --")
  .description("Operations per second in workerd: the article's way, ours, and an object that stores nothing.")
  .option("--check", "fail if a ratio is under its goal")
  .addOption(
    new Option("--publish", "write results.md, results.json and chart.svg into docs/bench").conflicts([
      "quick",
      "only",
    ]),
  )
  .option("--quick", "short runs, for a first look")
  .option("--only <subject>", SUBJECTS.join(", "))
  .parse()
  .opts<Options>();

const { check, publish, quick, only } = options;
if (only !== undefined && !SUBJECTS.includes(only)) {
  console.error(`error: there is no measure "${only}"; there are: ${SUBJECTS.join(", ")}`);
  process.exit(1);
}

const isWanted = ({ subject }: { readonly subject: string }) => only === undefined || only === subject;

const bench = await startBench(all);
try {
  const outcomes: Outcome[] = [];
  for (const measure of measures.filter(isWanted)) {
    console.error(`${measure.title}, c=${measure.concurrency} …`);
    outcomes.push(await runMeasure(bench.url, measure, quick ? QUICK : FULL));
  }
  if (outcomes.length > 0) console.log(table(outcomes));

  const visited = new Map<string, Visited>();
  for (const { folder, subject, run } of visits.filter(isWanted)) {
    console.error(`${subject} …`);
    const seen = await run(new URL(folder, bench.url).href, workerdMemory);
    visited.set(subject, seen);
    console.log(`\n${seen.line}`);
  }
  if (publish) write(outcomes, visited);

  const short = [...outcomes.flatMap(shortfalls), ...[...visited.values()].flatMap(({ wrong }) => wrong ?? [])];
  for (const shortfall of short) console.error(`under: ${shortfall}`);
  if (check && short.length > 0) process.exitCode = 1;
} finally {
  await bench.close();
}

function write(outcomes: readonly Outcome[], visited: ReadonlyMap<string, Visited>): void {
  const dir = join(ROOT, "docs/bench");
  mkdirSync(dir, { recursive: true });
  const figures = Object.fromEntries([...visited].map(([subject, seen]) => [subject, seen.figures]));
  const results = { date: today(), machine: thisMachine(), outcomes, visited: figures };
  writeFileSync(join(dir, "results.json"), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(
    join(dir, "results.md"),
    page(
      results,
      [...visited.values()].map(({ line }) => line),
    ),
  );
  writeFileSync(join(dir, "chart.svg"), chart(outcomes, { legend: "the article's way" }));
  console.error("written: results.md, results.json and chart.svg in docs/bench");
}
