/**
 * `npm run bench:peers`: the patterns beside the packages that people would take in their place, in one run.
 * test/<pattern>/peers.ts names them, test/<pattern>/peers/worker.ts uses them. test/bench/peers/
 * pins their versions; they are installed into .cache/peers, for this command alone.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Command, Option } from "commander";
import { toolOf } from "../../infra/pattern/tools.ts";
import { ROOT } from "../../infra/release/root.ts";
import { patterns } from "../../worker/patterns.ts";
import { machineText, today } from "./machine.ts";
import type { Measure } from "./measure.ts";
import { chart } from "./report.ts";
import { type Effort, type Outcome, percent, runMeasure } from "./run.ts";
import { startEntry } from "./runtime.ts";

/** A pattern beside one peer. */
export interface PeerMeasure extends Pick<Measure, "title" | "subject" | "concurrency"> {
  /** As printed: the package, and how it is used. */
  readonly peer: string;
  /** What the peer promises, in a few words: is it durable, exact, safe to repeat? */
  readonly promises: string;
  /** The goal, if there is one: ours is at least so many times as fast. */
  readonly atLeast?: number;
}

export interface PatternPeers {
  readonly measures: readonly PeerMeasure[];
  /** The classes that test/<pattern>/peers/worker.ts exports, by binding. */
  readonly classes: Readonly<Record<string, string>>;
  readonly databases?: readonly string[];
}

const FULL: Effort = { warmUpMs: 1_000, runMs: 1_500, runs: 5 };
const QUICK: Effort = { warmUpMs: 200, runMs: 300, runs: 3 };
const PINNED = join(ROOT, "test/bench/peers");
const DIR = join(ROOT, ".cache/peers");
const MODULES = join(DIR, "node_modules");
const PUBLISHED = join(ROOT, "docs/bench");

const { check, quick, publish, only } = new Command("npm run bench:peers --")
  .description("Operations per second of the patterns, beside the packages that people would take in their place.")
  .option("--check", "fail if a goal is missed")
  .option("--quick", "short runs, for a first look")
  .addOption(new Option("--publish", "write peers.md and peers.svg into docs/bench").conflicts(["quick", "only"]))
  .option("--only <subject>", "one subject")
  .parse()
  .opts<{ check?: true; quick?: true; publish?: true; only?: string }>();

const found = await Promise.all(
  patterns.map(async ({ folder }) => ({ folder, tool: await toolOf<{ peers: PatternPeers }>(folder, "peers") })),
);
const all = found.flatMap(({ folder, tool }) => (tool ? [{ folder, ...tool.peers }] : []));
const measures = all.flatMap((one) => one.measures).filter(({ subject }) => only === undefined || subject === only);
if (measures.length === 0) {
  const known = [...new Set(all.flatMap((one) => one.measures.map(({ subject }) => subject)))].join(", ");
  console.error(`error: there is no subject "${only}"; there are: ${known}`);
  process.exit(1);
}

install();
const bench = await startEntry({
  entry: [
    'import { serve } from "./bench/worker/serve.ts";',
    'export * from "../worker/index.ts";',
    'export { Floor } from "./bench/worker/floor.ts";',
    ...all.map(({ folder, classes }, i) => {
      const file = JSON.stringify(`./${folder}/peers/worker.ts`);
      return `import * as peers${i} from ${file};\nexport { ${Object.values(classes).join(", ")} } from ${file};`;
    }),
    `export default serve({ ${all.map(({ folder }, i) => `${JSON.stringify(folder)}: peers${i}`).join(", ")} });`,
  ].join("\n"),
  bindings: Object.assign(
    { FLOOR: "Floor" },
    Object.fromEntries(patterns.map((facts) => [facts.binding, facts.class])),
    ...all.map(({ classes }) => classes),
  ),
  settings: { environment: "bench", access: "open", chat: { messagesPerSecond: 10_000 } },
  databases: all.flatMap(({ databases = [] }) => databases),
  modules: MODULES,
});
try {
  const outcomes: { readonly measure: PeerMeasure; readonly outcome: Outcome }[] = [];
  for (const measure of measures) {
    console.error(`${measure.title} beside ${measure.peer}, c=${measure.concurrency} …`);
    const outcome = await runMeasure(bench.url, { ...measure, timesNaive: 0 }, quick ? QUICK : FULL);
    outcomes.push({ measure, outcome });
  }
  const lines = [
    "| measure | c | beside | the peer | ours | ours / peer | of the floor | what the peer promises |",
    "|---|---|---|---|---|---|---|---|",
    ...outcomes.map(({ measure, outcome: { naive, ours, floor } }) => {
      const { title, concurrency, peer, promises } = measure;
      const times = `${(ours.median / naive.median).toFixed(2)} ×`;
      const speeds = [naive, ours].map(({ median }) => median.toLocaleString("en")).join(" | ");
      return `| ${title} | ${concurrency} | ${peer} | ${speeds} | ${times} | ${percent(ours.median / floor.median)} | ${promises} |`;
    }),
  ];
  console.log(lines.join("\n"));
  if (publish) {
    const charted = outcomes.map(({ measure, outcome }) => ({ ...outcome, measure: { ...measure, timesNaive: 0 } }));
    writeFileSync(join(PUBLISHED, "peers.md"), page(lines));
    writeFileSync(
      join(PUBLISHED, "peers.svg"),
      chart(charted, { legend: "the peer", names: outcomes.map(({ measure }) => measure.peer) }),
    );
  }
  const short = outcomes.filter(
    ({ measure: { atLeast = 0 }, outcome: { naive, ours } }) => ours.median < atLeast * naive.median,
  );
  for (const { measure } of short) {
    console.error(
      `under: ${measure.title} beside ${measure.peer}, c=${measure.concurrency}: must be ${measure.atLeast} ×`,
    );
  }
  if (check && short.length > 0) process.exitCode = 1;
} finally {
  await bench.close();
}

/** Installs the peers, unless the ones that are pinned are there. Their install scripts do not run. */
function install(): void {
  const files = ["package.json", "package-lock.json"].map((name) => ({
    from: join(PINNED, name),
    to: join(DIR, name),
  }));
  const text = (file: string) => (existsSync(file) ? readFileSync(file, "utf8") : undefined);
  if (existsSync(MODULES) && files.every(({ from, to }) => text(from) === text(to))) return;
  rmSync(DIR, { recursive: true, force: true });
  mkdirSync(DIR, { recursive: true });
  for (const { from, to } of files) copyFileSync(from, to);
  const options = ["--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund"];
  const { status } = spawnSync("npm", ["ci", ...options], { cwd: DIR, stdio: "inherit" });
  if (status === 0) return;
  rmSync(MODULES, { recursive: true, force: true });
  throw new Error(`The peers of ${relative(ROOT, PINNED)}/package.json cannot be installed: npm ci failed`);
}

function page(lines: readonly string[]): string {
  return `# Beside others
Written by \`npm run bench:peers -- --publish\` on ${today()}: ${machineText()}. Operations a second, the median of five runs in turn; what that means is in [bench.md](../bench.md). The versions are in \`test/bench/peers/package.json\`.

${lines.join("\n")}

![The same figures as bars](peers.svg)

Ours is exact and durable, and a retry with the same key does nothing twice.
`;
}
