/**
 * `npm run bench:account`: how long the local account takes, compared with `wrangler deploy` to the same account. Each
 * line is the median of several runs. `--check` fails if one is over its limit.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import path from "node:path";
import { startAccount } from "@durable-stack/local-account";
import { Command } from "commander";
import { type ApplyResult, applyProgram } from "../../infra/apply/apply.ts";
import { buildRelease } from "../../infra/release/build.ts";
import { codeOf, live, type Program, TestAccount } from "../../packages/local-account/test/support.ts";
import { wrangler } from "../wrangler/wrangler.ts";

const WORKERS = 5;
const OBJECTS = 1_000;
const MANY = { workers: 50, objects: 10_000 };
const KEYS = 25_000;
/** Requests at a time while the objects are created. */
const TOGETHER = 50;
const RUNS = 5;

interface Line {
  readonly what: string;
  readonly milliseconds: number;
  /** The limit in milliseconds; undefined if it is only for comparison. */
  readonly limit?: number;
}

const { check } = new Command("npm run bench:account --")
  .description("Times of the local account: start, code change, deployment, bulk write, and apply without a change.")
  .option("--check", "fail if one is over its limit")
  .parse()
  .opts<{ check?: true }>();

const COUNTER = { classes: ["Counter"], bound: ["Counter"], exports: live("Counter") };
const root = mkdtempSync(path.join(tmpdir(), "bench-account-"));
try {
  const lines = [
    ...(await ofAccount(path.join(root, "account"))),
    ...(await ofMany(path.join(root, "many"))),
    ...(await ofApply(path.join(root, "apply"))),
  ];
  const width = Math.max(...lines.map(({ what }) => what.length));
  for (const { what, milliseconds, limit } of lines)
    console.log(
      `${what.padEnd(width)}  ${String(Math.round(milliseconds)).padStart(6)} ms${limit === undefined ? "" : `  of ${limit}`}`,
    );
  console.log(`${cpus().length} processors, load ${loadavg()[0]?.toFixed(1)}`);
  if (check && lines.some(({ milliseconds, limit }) => limit !== undefined && milliseconds > limit))
    process.exitCode = 1;
} finally {
  rmSync(root, { recursive: true, force: true });
}

/** Measures a start with data, a code change until it answers, a deployment without a change, and both by wrangler. */
async function ofAccount(dir: string): Promise<Line[]> {
  const open = async () => new TestAccount(await startAccount({ dir, port: 0, apiPort: 0 }));
  let test = await open();
  await fill(test, { workers: WORKERS, objects: OBJECTS });
  await test.close();

  const start = await median(async () => {
    test = await open();
    return () => test.close();
  });
  test = await open();
  try {
    const change = (tag: string): Program => ({
      ...COUNTER,
      tag,
      bindings: [{ type: "plain_text", name: "TAG", text: tag }],
    });
    const changed = await median(async (run) => {
      await test.deploy("worker-0", change(`run ${run}`));
      const { tag } = (await test.ask("worker-0")).json();
      if (tag !== `run ${run}`) throw new Error(`the new code does not answer: ${tag}`);
    });
    const waited = await medianOf((run) =>
      longestWait(test, "worker-1", () => test.deploy("worker-0", change(`wait ${run}`))),
    );
    const unchanged = await median(
      async () => void (await test.deploy("worker-0", change("run 0"))),
      () => test.deploy("worker-0", change("run 0")),
    );
    const byWrangler = await median(async (run) => {
      writeProject(dir, `wrangler ${run}`);
      const { code, text } = await wrangler(test.running, dir, ["deploy"]);
      if (code !== 0) throw new Error(text);
    });
    const bulk = await ofBulk(test, dir);
    return [
      { what: `start, ${WORKERS} Workers and ${OBJECTS} objects`, milliseconds: start, limit: 2_000 },
      { what: "code change until it answers", milliseconds: changed, limit: 1_000 },
      { what: "longest wait of another Worker's requests meanwhile", milliseconds: waited, limit: 300 },
      { what: "deployment without a change", milliseconds: unchanged, limit: 500 },
      { what: "wrangler deploy of a code change", milliseconds: byWrangler },
      ...bulk,
    ];
  } finally {
    await test.close();
  }
}

/** Deploys Workers with objects of their own. */
async function fill(test: TestAccount, { workers, objects }: typeof MANY): Promise<void> {
  for (let worker = 0; worker < workers; worker++) await test.deploy(`worker-${worker}`, { ...COUNTER, tag: "first" });
  for (let made = 0; made < objects; made += TOGETHER)
    await Promise.all(
      Array.from({ length: TOGETHER }, (_, index) =>
        test.ask(`worker-${(made + index) % workers}`, `/Counter/${made + index}`),
      ),
    );
}

/** The time of the slowest of many requests to a Worker, one after the other, while `work` is done. */
async function longestWait(test: TestAccount, worker: string, work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let isDone = false;
  const done = work().finally(() => {
    isDone = true;
  });
  while (!isDone) {
    const began = performance.now();
    await test.ask(worker);
    longest = Math.max(longest, performance.now() - began);
  }
  await done;
  return longest;
}

/** Writes many keys with `wrangler kv bulk put`, and with one call of the API for each thousand, as wrangler does. */
async function ofBulk(test: TestAccount, dir: string): Promise<Line[]> {
  const { id } = await test.sdk.kv.namespaces.create({ account_id: test.id, title: "bench" });
  const pairs = Array.from({ length: KEYS }, (_, index) => ({ key: `key-${index}`, value: `value ${index}` }));
  writeFileSync(path.join(dir, "pairs.json"), JSON.stringify(pairs));
  const byApi = await median(async () => {
    for (let at = 0; at < KEYS; at += 1_000)
      await test.call("put", `/storage/kv/namespaces/${id}/bulk`, pairs.slice(at, at + 1_000));
  });
  const byWrangler = await median(async () => {
    const args = ["kv", "bulk", "put", "pairs.json", "--namespace-id", id, "--remote"];
    const { code, text } = await wrangler(test.running, dir, args);
    if (code !== 0) throw new Error(text);
  });
  return [
    { what: `${KEYS} keys by the API`, milliseconds: byApi, limit: 3_000 },
    { what: `${KEYS} keys by wrangler kv bulk put`, milliseconds: byWrangler },
  ];
}

/** Measures a large account: its start, and how long others wait for a deployment. */
async function ofMany(dir: string): Promise<Line[]> {
  const open = async () => new TestAccount(await startAccount({ dir, port: 0, apiPort: 0 }));
  const test = await open();
  await fill(test, MANY);
  const waited = await medianOf((run) =>
    longestWait(test, "worker-1", () => test.deploy("worker-0", { ...COUNTER, tag: `wait ${run}` })),
  );
  await test.close();
  const milliseconds = await median(async () => {
    const again = await open();
    return () => again.close();
  });
  const of = `${MANY.workers} Workers and ${MANY.objects} objects`;
  return [
    { what: `start, ${of}`, milliseconds, limit: 2_000 },
    { what: `longest wait of another Worker's requests, ${of}`, milliseconds: waited, limit: 300 },
  ];
}

function writeProject(dir: string, tag: string): void {
  writeFileSync(path.join(dir, "index.js"), codeOf({ ...COUNTER, tag }));
  writeFileSync(
    path.join(dir, "wrangler.json"),
    JSON.stringify({
      name: "worker-0",
      main: "index.js",
      compatibility_date: "2026-11-01",
      durable_objects: { bindings: [{ name: "Counter", class_name: "Counter" }] },
      exports: live("Counter"),
    }),
  );
}

/** Applies the program twice, and measures the second time, when nothing has changed. */
async function ofApply(dir: string): Promise<Line[]> {
  await buildRelease();
  const account = await startAccount({ dir, port: 0, apiPort: 0 });
  const apply = (): Promise<ApplyResult> =>
    applyProgram({
      dir,
      account,
      config: { adminToken: "bench-admin-token-of-some-length" },
      secretKeys: ["adminToken"],
    });
  try {
    await apply();
    const again = await median(async () => void (await apply()));
    return [{ what: "apply without a change, its process included", milliseconds: again, limit: 400 }];
  } finally {
    await account.close();
  }
}

/** The median time of `work`. `first` runs once before. The function that `work` returns runs after it, uncounted. */
async function median(work: (run: number) => Promise<unknown>, first?: () => Promise<unknown>): Promise<number> {
  await first?.();
  return medianOf(async (run) => {
    const began = performance.now();
    const after = await work(run);
    const time = performance.now() - began;
    if (typeof after === "function") await after();
    return time;
  });
}

/** The median of what several runs measure. */
async function medianOf(measure: (run: number) => Promise<number>): Promise<number> {
  const all: number[] = [];
  for (let run = 0; run < RUNS; run++) all.push(await measure(run));
  return all.sort((a, b) => a - b)[Math.floor(RUNS / 2)] ?? 0;
}
