/** Removes the data of what was deleted. */
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import type { State } from "../model.ts";
import { sweepBuckets } from "./buckets.ts";
import { sweepObjects } from "./databases.ts";

/** Removes the data of what the state no longer has from the runtime's directory. */
export async function sweep(directory: string, state: State): Promise<void> {
  const kept: Record<string, ReadonlySet<string>> = {
    do: new Set(state.namespaces.keys()),
    kv: new Set(state.kvNamespaces.keys()),
  };
  for (const [plugin, ids] of Object.entries(kept)) {
    const folder = path.join(directory, plugin);
    for (const name of await readdir(folder).catch(() => []))
      if (/^[0-9a-f]{32}$/.test(name) && !ids.has(name))
        await rm(path.join(folder, name), { recursive: true, force: true });
  }
  await sweepWorkflows(path.join(directory, "workflows"), state);
  await sweepObjects("d1", path.join(directory, "d1"), state.databases.keys());
  await sweepObjects("queues", path.join(directory, "queues"), state.queues.keys());
  await sweepObjects("kv", path.join(directory, "kv"), state.kvNamespaces.keys());
  await sweepBuckets(path.join(directory, "r2"), state);
}

/** Removes the instances of deleted workflows: a new one of the same name does not have them. */
async function sweepWorkflows(folder: string, { workflows }: State): Promise<void> {
  const kept = new Set([...workflows.values()].map(({ name }) => name));
  for (const name of await readdir(folder).catch(() => []))
    if (!kept.has(name.replace(/^(miniflare|account)-workflows-/, "")))
      await rm(path.join(folder, name), { recursive: true, force: true });
}
