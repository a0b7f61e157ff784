/** `npm run bench:http`: whole requests through our Worker, beside a bare one with the same objects. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Command, Option } from "commander";
import { ROOT } from "../../../infra/release/root.ts";
import { benches } from "../patterns.ts";
import { startAccountProcess, type Way } from "./account.ts";
import {
  type Effort,
  LEAST_THROUGH_ACCOUNT,
  loadOf,
  measure,
  type Outcome,
  percent,
  type Speed,
  shortfalls,
} from "./measure.ts";
import { profiled } from "./profile.ts";
import { routesOf } from "./routes.ts";
import { MOST_EVALUATED_MS, MOST_LATER_MS, measureStartUp, type StartUp } from "./startup.ts";
import { startServers, WORKERS } from "./workerd.ts";

const FULL: Effort = { warmUpMs: 1_000, runMs: 1_500, runs: 7 };
const QUICK: Effort = { warmUpMs: 300, runMs: 500, runs: 3 };
const CONCURRENCIES = [1, 32] as const;
/** How many clients at once the local account is measured with. */
const CLIENTS = 32;
const PROFILE_MS = 3_000;
const PROFILES = join(ROOT, "dist/profiles");

const all = await benches();
const routes = routesOf(all);
const { check, quick, profile, only } = new Command("npm run bench:http --")
  .description("Requests a second and CPU of each route, beside a bare Hono Worker with the same objects.")
  .option("--check", "fail if a route misses its goal")
  .option("--quick", "short runs, for a first look")
  .option("--profile", "write a CPU profile of each route into dist/profiles, and measure nothing")
  .addOption(new Option("--only <route>", "one route").choices(routes.map(({ title }) => title)))
  .parse()
  .opts<{ check?: true; quick?: true; profile?: true; only?: string }>();
const wanted = routes.filter(({ title }) => only === undefined || title === only);

const folders = [...all].filter(([, { routes: own }]) => own !== undefined).map(([folder]) => folder);
const servers = await startServers(folders, profile);
const startUp = profile || only !== undefined ? undefined : await measureStartUp(quick ? 5 : 15);
try {
  if (profile) await profileAll();
  else await measureAll();
} finally {
  await servers.close();
}

async function measureAll(): Promise<void> {
  const outcomes: Outcome[] = [];
  for (const route of wanted) {
    for (const concurrency of CONCURRENCIES) {
      console.error(`${route.title}, c=${concurrency} …`);
      outcomes.push(await measure(servers, route, concurrency, quick ? QUICK : FULL));
    }
  }
  console.log("| route | c | ours, requests/s · CPU µs | bare | ours / bare | CPU |\n|---|---|---|---|---|---|");
  for (const { title, concurrency, ours, bare, share, cpu } of outcomes) {
    const times = cpu === undefined ? "" : `${cpu.toFixed(2)} x`;
    console.log(`| ${title} | ${concurrency} | ${speed(ours)} | ${speed(bare)} | ${percent(share)} | ${times} |`);
  }
  const through = await measureAccount("door");
  printThrough("through the local account", through);
  const direct = await measureAccount("direct");
  printThrough("at its own address there (--direct)", direct);
  if (startUp) console.log(`\n${startUpLines(startUp).join("\n")}`);
  const short = [
    ...outcomes.flatMap(shortfalls),
    ...[...through, ...direct].filter(({ share }) => share < LEAST_THROUGH_ACCOUNT).map(slowIn),
    ...(startUp ? lateIn(startUp) : []),
  ];
  for (const shortfall of short) console.error(`under: ${shortfall}`);
  if (check && short.length > 0) process.exitCode = 1;
}

/** Our Worker on the local account, beside the same in workerd alone, which takes the part of the bare one. */
async function measureAccount(way: Way): Promise<readonly Outcome[]> {
  const account = await startAccountProcess(way);
  try {
    const found: Outcome[] = [];
    for (const route of wanted) {
      console.error(`${route.title} on the local account …`);
      // An account is several processes: their CPU is not counted.
      const beside = { urls: { ours: account.url, bare: servers.urls.ours }, cpuMs: () => undefined };
      found.push(await measure(beside, route, CLIENTS, quick ? QUICK : FULL));
    }
    return found;
  } finally {
    await account.close();
  }
}

function printThrough(how: string, outcomes: readonly Outcome[]): void {
  console.log(`\n| route, c=${CLIENTS} | workerd alone, requests/s | ${how} | share |\n|---|---|---|---|`);
  for (const { title, ours, bare, share } of outcomes)
    console.log(`| ${title} | ${speed(bare)} | ${speed(ours)} | ${percent(share)} |`);
}

async function profileAll(): Promise<void> {
  mkdirSync(PROFILES, { recursive: true });
  for (const route of wanted) {
    for (const name of WORKERS) {
      const run = await loadOf(servers.urls[name], route);
      const content = await profiled(servers.inspector ?? "", name, () => run({ concurrency: 32, ms: PROFILE_MS }));
      const file = join(PROFILES, `${route.title.replaceAll(/[^A-Za-z]+/g, "-")}-${name}.cpuprofile`);
      writeFileSync(file, content);
      console.log(relative(ROOT, file));
    }
  }
}

function slowIn({ title, share }: Outcome): string {
  const goal = `the goal is ${percent(LEAST_THROUGH_ACCOUNT)}`;
  return `${title}: ${percent(share)} of what workerd answers alone comes through the local account, ${goal}`;
}

function startUpLines({ evaluatedMs, first, parts }: StartUp): string[] {
  const largest = parts.slice(0, 8).map(([name, bytes]) => `${name} ${(bytes / 1_024).toFixed(1)} KiB`);
  return [
    `Start-up: the bundle is evaluated in ${evaluatedMs.toFixed(1)} ms of CPU (Node). The first answer of a cold workerd comes after`,
    `${first.ours.toFixed(0)} ms, that of a Worker of Hono alone after ${first.hono.toFixed(0)} ms. The largest modules: ${largest.join(", ")}.`,
  ];
}

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
