/**
 * wrangler.jsonc for the suites' own accounts and copies of the project, which have no other Worker and no queue.
 * `selfContained` is the project's own file without what leads out of it: its patterns find their storage and variables.
 * `asShipped` is the file as a project comes with it, with the project's own classes: for tests that count what is made,
 * or name it. How the code is bundled stays in both. The projects worker and chaos (vitest.config.ts) take the whole file.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyEdits, findNodeAtLocation, modify, type Node, parseTree } from "jsonc-parser";
import { EXTRA_KEYS } from "../infra/release/extras.ts";
import { ROOT } from "../infra/release/root.ts";
import { readWorkerConfig, type WorkerConfig } from "../infra/release/worker-config.ts";
import { OF_THE_PROGRAM } from "../infra/release/wrangler-keys.ts";

export const WORKER_FILE = "wrangler.jsonc";

/** What is there from the beginning, by key. The others of a release are taken out. */
const SHIPPED: Readonly<Record<string, string>> = {
  kv_namespaces: '[{ "binding": "READS" }]',
  r2_buckets: '[{ "binding": "BLOBS" }]',
  observability: '{ "enabled": true }',
};

/** Lists of what is not in this project. */
const OUTSIDE = ["services", "queues", "tail_consumers"];

/** What names storage that a test's account does not have, or leads `wrangler dev` to Cloudflare. */
const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  kv_namespaces: ["id", "preview_id", "remote"],
  r2_buckets: ["bucket_name", "preview_bucket_name", "remote"],
  d1_databases: ["database_id", "preview_database_id", "remote"],
};

/** The file without what leads out of the project; the same text where nothing does. */
export function selfContained(text: string): string {
  let own = withoutOtherClasses(text);
  for (const key of OUTSIDE) if (nodeAt(own, key)) own = without(own, key);
  for (const [key, names] of Object.entries(ELSEWHERE)) {
    for (const i of nodeAt(own, key)?.children?.keys() ?? []) {
      for (const name of names) if (nodeAt(own, key, i, name)) own = without(own, key, i, name);
    }
  }
  return own;
}

/** The file as it comes; the same text where nothing was added. */
export function asShipped(text: string): string {
  let shipped = withoutOtherClasses(text);
  for (const key of Object.keys(EXTRA_KEYS).filter((name) => name !== "vars")) {
    const node = nodeAt(shipped, key);
    const as = SHIPPED[key];
    if (as === undefined) {
      if (node) shipped = without(shipped, key);
    } else if (node) {
      shipped = shipped.slice(0, node.offset) + as + shipped.slice(node.offset + node.length);
    }
  }
  for (const name of namesIn(shipped, "vars")) {
    if (!OF_THE_PROGRAM.vars?.includes(name)) shipped = without(shipped, "vars", name);
  }
  return shipped;
}

/** Without the bindings to classes of other Workers. */
function withoutOtherClasses(text: string): string {
  const bound = nodeAt(text, "durable_objects", "bindings")?.children ?? [];
  // From the end, so that those before it stay where they are.
  return [...bound.entries()]
    .reverse()
    .filter(([, binding]) => findNodeAtLocation(binding, ["script_name"]))
    .reduce((rest, [i]) => without(rest, "durable_objects", "bindings", i), text);
}

const without = (text: string, ...path: (string | number)[]): string =>
  applyEdits(text, modify(text, path, undefined, {}));

/** What a release is built from by the file as it comes. */
export const shippedConfig = (): WorkerConfig => configOf(asShipped);

/** What a release is built from by the project's own file, without what leads out of it. */
export const selfContainedConfig = (): WorkerConfig => configOf(selfContained);

function configOf(change: (text: string) => string): WorkerConfig {
  const folder = mkdtempSync(join(tmpdir(), "worker-file-"));
  try {
    const file = join(folder, WORKER_FILE);
    writeFileSync(file, change(readFileSync(join(ROOT, WORKER_FILE), "utf8")));
    return readWorkerConfig(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function nodeAt(text: string, ...path: (string | number)[]): Node | undefined {
  const tree = parseTree(text);
  return tree && findNodeAtLocation(tree, path);
}

const namesIn = (text: string, key: string): readonly string[] =>
  (nodeAt(text, key)?.children ?? []).flatMap(({ children }) => children?.[0]?.value ?? []);
