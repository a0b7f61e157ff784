/** What a cold start costs, and which modules it is made of. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundle, HONO, OURS, type Parts } from "./bundles.ts";
import { startWorkerd } from "./workerd.ts";

export interface StartUp {
  /** CPU time that Node takes to evaluate our bundle, in ms: the median. */
  readonly evaluatedMs: number;
  /** From the start of workerd to the first answer, ours and a Worker of Hono alone, in ms: the medians. */
  readonly first: { readonly ours: number; readonly hono: number };
  readonly parts: Parts;
}

/** The goals, in ms. */
export const MOST_EVALUATED_MS = 10;
export const MOST_LATER_MS = 8;

/** Measures `runs` cold starts. The Workers take turns. */
export async function measureStartUp(runs: number): Promise<StartUp> {
  const [ours, hono] = await Promise.all([bundle(OURS), bundle(HONO)]);
  const evaluated = times(runs, () => evaluate(ours.code));
  const first: { ours: number; hono: number }[] = [];
  for (let run = 0; run < runs; run++) {
    first.push({ ours: await firstAnswer(ours.code), hono: await firstAnswer(hono.code) });
  }
  return {
    evaluatedMs: median(evaluated),
    first: { ours: median(first.map((one) => one.ours)), hono: median(first.map((one) => one.hono)) },
    parts: ours.parts,
  };
}

async function firstAnswer(code: string): Promise<number> {
  const start = performance.now();
  const server = await startWorkerd({ worker: code });
  try {
    const answer = await fetch(new URL("health", server.urlOf("worker")));
    if (!answer.ok) throw new Error(`The Worker answered ${answer.status}: ${await answer.text()}`);
    return performance.now() - start;
  } finally {
    await server.close();
  }
}

/**
 * Loads the bundle as a module, with a stand-in for the runtime's own. Prints the CPU time. Node loads parts of itself
 * when its globals are first used, and lib0 makes a terminal of `process`: workerd has the former from its start, and
 * not the latter.
 */
const LOADER = `import { registerHooks } from "node:module";
const names = ["DurableObject", "RpcTarget", "WorkerEntrypoint"];
const stand = "data:text/javascript," + encodeURIComponent(names.map((name) => "export class " + name + " {}").join(";") +
  ";export const env = {}, waitUntil = () => {}");
registerHooks({ resolve: (specifier, context, next) =>
  specifier === "cloudflare:workers" ? { url: stand, shortCircuit: true } : next(specifier, context) });
await import(stand);
const { process } = globalThis;
delete globalThis.process;
for (const name of Object.getOwnPropertyNames(globalThis)) void globalThis[name];
void crypto.subtle;
const before = process.cpuUsage();
await import("./worker.mjs");
const { user, system } = process.cpuUsage(before);
console.log((user + system) / 1000);
`;

function evaluate(code: string): number {
  const dir = mkdtempSync(join(tmpdir(), "durable-stack-start-"));
  try {
    writeFileSync(join(dir, "worker.mjs"), code);
    writeFileSync(join(dir, "loader.mjs"), LOADER);
    // Without a cache of compiled code: a cold start has none.
    const env = { ...process.env, NODE_COMPILE_CACHE: undefined };
    const { stdout, stderr, status } = spawnSync(process.execPath, ["loader.mjs"], { cwd: dir, env, encoding: "utf8" });
    if (status !== 0) throw new Error(`The bundle cannot be evaluated: ${stderr}`);
    return Number(stdout);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const times = (count: number, measure: () => number) => Array.from({ length: count }, measure);
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
