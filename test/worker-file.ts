/**
 * wrangler.jsonc as a project comes with it, with the project's own classes. What it binds to later (another Worker, a queue,
 * a database), and the settings of its Worker, are its own: they change no test of the rest, whose accounts have none of it.
 * How the code is bundled stays, and so do the bindings for its own tests (the projects worker and chaos in vitest.config.ts).
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

/** That file, of the text of a project's own; the same text where nothing was added. */
export function asShipped(text: string): string {
  let shipped = text;
  const without = (...path: (string | number)[]) => {
    shipped = applyEdits(shipped, modify(shipped, path, undefined, {}));
  };
  for (const key of Object.keys(EXTRA_KEYS).filter((name) => name !== "vars")) {
    const node = nodeAt(shipped, key);
    const as = SHIPPED[key];
    if (as === undefined) {
      if (node) without(key);
    } else if (node) {
      shipped = shipped.slice(0, node.offset) + as + shipped.slice(node.offset + node.length);
    }
  }
  for (const name of namesIn(shipped, "vars")) if (!OF_THE_PROGRAM.vars?.includes(name)) without("vars", name);
  const bound = nodeAt(shipped, "durable_objects", "bindings")?.children ?? [];
  // From the end, so that those before it stay where they are.
  for (const [i, binding] of [...bound.entries()].reverse()) {
    if (findNodeAtLocation(binding, ["script_name"])) without("durable_objects", "bindings", i);
  }
  return shipped;
}

/** What a release is built from by that file. */
export function shippedConfig(): WorkerConfig {
  const folder = mkdtempSync(join(tmpdir(), "worker-file-"));
  try {
    const file = join(folder, WORKER_FILE);
    writeFileSync(file, asShipped(readFileSync(join(ROOT, WORKER_FILE), "utf8")));
    return readWorkerConfig(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function nodeAt(text: string, ...path: string[]): Node | undefined {
  const tree = parseTree(text);
  return tree && findNodeAtLocation(tree, path);
}

const namesIn = (text: string, key: string): readonly string[] =>
  (nodeAt(text, key)?.children ?? []).flatMap(({ children }) => children?.[0]?.value ?? []);
