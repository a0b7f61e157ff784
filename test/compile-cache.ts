/**
 * Commands that tests start are compiled once a run, as those of package.json are once for all (infra/run.mjs). In a folder
 * that goes with the run: Node keeps a file anew for each place where it finds it, and tests run in many copies.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Makes the folder, unless there is one (.ci/run has its own), and tells what the tests start. Returns what removes it. */
export function setup(): (() => void) | undefined {
  if (process.env.NODE_COMPILE_CACHE) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "durable-stack-compiled-"));
  process.env.NODE_COMPILE_CACHE = folder;
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
