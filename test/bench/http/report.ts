/** Says what `npm run bench:http` measured: tables, the start-up in words, and what misses its goal. */
import {
  LEAST_THROUGH_ACCOUNT,
  leastShare,
  MOST_CPU,
  type Outcome,
  percent,
  type Speed,
  shortfalls,
} from "./measure.ts";
import { MOST_EVALUATED_MS, MOST_LATER_MS, type StartUp } from "./startup.ts";

/** All that one run measured. The start-up is missing where only one route was. */
export interface Measured {
  readonly outcomes: readonly Outcome[];
  /** Our Worker on the local account, beside the same in workerd alone. */
  readonly through: readonly Outcome[];
  readonly direct: readonly Outcome[];
  readonly startUp?: StartUp | undefined;
}

/** What was measured, as Markdown that is also readable in a terminal. */
export function report({ outcomes, through, direct, startUp }: Measured): string {
  return [
    routesTable(outcomes),
    throughTable("through the local account", through),
    throughTable("at its own address there (--direct)", direct),
    ...(startUp ? [startUpText(startUp)] : []),
  ].join("\n\n");
}

/** The published page. `machine`: such as "2 cores (AMD EPYC)". */
export const page = (measured: Measured, { date, machine }: { readonly date: string; readonly machine: string }) =>
  `# Whole requests
Written by \`npm run bench:http -- --publish\` on ${date}: ${machine}. Each figure is the median of runs in turn, to be read as ratios; what they mean is in [bench.md](../bench.md). The goals are ${percent(leastShare(32))} of the bare Worker's requests at ${MOST_CPU} × its CPU with 32 clients, ${percent(leastShare(1))} with one, and ${percent(LEAST_THROUGH_ACCOUNT)} of workerd alone on the local account.

${report(measured)}
${missed(shortfallsOf(measured))}`;

const missed = (short: readonly string[]) =>
  short.length === 0 ? "" : `\nWhat misses its goal here:\n${short.map((one) => `- ${one}\n`).join("")}`;

/** What misses its goal. */
export const shortfallsOf = ({ outcomes, through, direct, startUp }: Measured): string[] => [
  ...outcomes.flatMap(shortfalls),
  ...through.filter(isSlow).map(slowBy("the local account's front door")),
  ...direct.filter(isSlow).map(slowBy("the local account's --direct")),
  ...(startUp ? lateIn(startUp) : []),
];

function routesTable(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ title, concurrency, ours, bare, share, cpu }) => {
    const times = cpu === undefined ? "" : `${cpu.toFixed(2)} ×`;
    return `| ${title} | ${concurrency} | ${speed(ours)} | ${speed(bare)} | ${percent(share)} | ${times} |`;
  });
  const header = "| route | c | ours, requests/s · CPU µs | bare | ours / bare | CPU |\n|---|---|---|---|---|---|";
  return [header, ...rows].join("\n");
}

function throughTable(how: string, outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(
    ({ title, concurrency, ours, bare, share }) =>
      `| ${title} | ${concurrency} | ${speed(bare)} | ${speed(ours)} | ${percent(share)} |`,
  );
  return [`| route | c | workerd alone, requests/s | ${how} | share |\n|---|---|---|---|---|`, ...rows].join("\n");
}

function startUpText({ evaluatedMs, first, parts }: StartUp): string {
  const largest = parts.slice(0, 8).map(([name, bytes]) => `${name} ${(bytes / 1_024).toFixed(1)} KiB`);
  return `Start-up: the bundle is evaluated in ${evaluatedMs.toFixed(1)} ms of CPU (Node). The first answer of a cold workerd comes after ${first.ours.toFixed(0)} ms, that of a Worker of Hono alone after ${first.hono.toFixed(0)} ms. The largest modules: ${largest.join(", ")}.`;
}

const isSlow = ({ share }: Outcome) => share < LEAST_THROUGH_ACCOUNT;

const slowBy = (way: string) => (outcome: Outcome) =>
  `${outcome.title}: ${percent(outcome.share)} of what workerd answers alone comes through ${way}, the goal is ${percent(LEAST_THROUGH_ACCOUNT)}`;

function lateIn({ evaluatedMs, first }: StartUp): string[] {
  const later = first.ours - first.hono;
  return [
    ...(evaluatedMs > MOST_EVALUATED_MS
      ? [`start-up: the bundle is evaluated in ${evaluatedMs.toFixed(1)} ms, the goal is ${MOST_EVALUATED_MS}`]
      : []),
    ...(later > MOST_LATER_MS
      ? [`start-up: the first answer is ${later.toFixed(1)} ms later than Hono's, the goal is ${MOST_LATER_MS}`]
      : []),
  ];
}

function speed({ requests, cpuUs }: Speed): string {
  const cpu = cpuUs === undefined ? "" : ` · ${Math.round(cpuUs)}`;
  return Math.round(requests).toLocaleString("en") + cpu;
}
