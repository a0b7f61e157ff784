/** `npm run bench`: measures, prints a table, writes docs/bench/results.json and chart.svg; with --check, judges. */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { ROOT } from "../../infra/release/root.ts";
import { runCrowd, workerdMemory } from "./crowd.ts";
import { MEASURES } from "./measures.ts";
import { chart, table } from "./report.ts";
import { type Effort, type Outcome, runMeasure, shortfalls } from "./run.ts";
import { startBench } from "./runtime.ts";

const FULL: Effort = { warmUpMs: 1_000, runMs: 1_500, runs: 5 };
const QUICK: Effort = { warmUpMs: 200, runMs: 300, runs: 3 };

interface Options {
  check?: true;
  quick?: true;
  only?: string;
}

const options = new Command("npm run bench --")
  .description("Operations per second in workerd: the article's way, ours, and an object that does nothing.")
  .option("--check", "fail where a ratio is under what it must be; write nothing")
  .option("--quick", "short runs, for a first look; write nothing")
  .option("--only <subject>", "limiter, counter, transfer, session, chat, plain-chat or crowd; write nothing")
  .parse()
  .opts<Options>();

const { check, quick, only } = options;
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
    console.log(
      `\nA room of ${crowd.sockets}: ${crowd.messages} messages, ${crowd.received} of ${crowd.expected} received, ` +
        `${crowd.wrong} sockets with a hole or a repetition; latency p50 ${crowd.p50} ms, p99 ${crowd.p99} ms; ` +
        `workerd ${crowd.memoryMiB ?? "?"} MiB.`,
    );
    if (!check && !quick && only === undefined) write(outcomes, crowd);
  }

  const short = [...outcomes.flatMap(shortfalls), ...(lost ? ["a full room: messages were lost"] : [])];
  for (const shortfall of short) console.error(`under: ${shortfall}`);
  if (check && short.length > 0) process.exitCode = 1;
} finally {
  await bench.close();
}

function write(outcomes: readonly Outcome[], crowd: object): void {
  const dir = join(ROOT, "docs/bench");
  mkdirSync(dir, { recursive: true });
  const machine = { cores: cpus().length, model: cpus()[0]?.model };
  writeFileSync(join(dir, "results.json"), `${JSON.stringify({ machine, outcomes, crowd }, null, 2)}\n`);
  writeFileSync(join(dir, "chart.svg"), chart(outcomes));
  console.error("written: docs/bench/results.json, docs/bench/chart.svg");
}
