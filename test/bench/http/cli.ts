/** `npm run bench:http`: whole requests through our Worker, beside a bare one with the same objects. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Command, Option } from "commander";
import { ROOT } from "../../../infra/release/root.ts";
import { machineText, today } from "../machine.ts";
import { benches } from "../patterns.ts";
import { startAccountProcess, type Way } from "./account.ts";
import { type Effort, loadOf, measure, type Outcome } from "./measure.ts";
import { profiled } from "./profile.ts";
import { type Measured, page, report, shortfallsOf } from "./report.ts";
import { routesOf } from "./routes.ts";
import { measureStartUp } from "./startup.ts";
import { startServers, WORKERS } from "./workerd.ts";

const FULL: Effort = { warmUpMs: 1_000, runMs: 1_500, runs: 7 };
const QUICK: Effort = { warmUpMs: 300, runMs: 500, runs: 3 };
const CONCURRENCIES = [1, 32] as const;
/** How many clients at once the local account is measured with. */
const CLIENTS = 32;
const PROFILE_MS = 3_000;
const PROFILES = join(ROOT, "dist/profiles");
const PUBLISHED = join(ROOT, "docs/bench/http.md");

const all = await benches();
const routes = routesOf(all);
const { check, publish, quick, profile, only } = new Command("npm run bench:http --")
  .description("Requests a second and CPU of each route, beside a bare Hono Worker with the same objects.")
  .option("--check", "fail if a route misses its goal")
  .addOption(new Option("--publish", "write http.md into docs/bench").conflicts(["quick", "only", "profile"]))
  .option("--quick", "short runs, for a first look")
  .option("--profile", "write a CPU profile of each route into dist/profiles, and measure nothing")
  .addOption(new Option("--only <route>", "one route").choices(routes.map(({ title }) => title)))
  .parse()
  .opts<{ check?: true; publish?: true; quick?: true; profile?: true; only?: string }>();
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
  const [through, direct] = [await measureAccount("door"), await measureAccount("direct")];
  const measured: Measured = { outcomes, through, direct, startUp };
  console.log(report(measured));
  if (publish) {
    writeFileSync(PUBLISHED, page(measured, { date: today(), machine: machineText() }));
    console.error(`written: ${relative(ROOT, PUBLISHED)}`);
  }
  const short = shortfallsOf(measured);
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
