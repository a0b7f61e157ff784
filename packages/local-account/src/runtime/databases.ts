/**
 * D1 databases, KV namespaces, queues and the lists of buckets on disk: each is an object of its own, whose id follows
 * from that of the thing.
 */
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { objectIdOf } from "./objects.ts";
import { QUEUES_KEY } from "./parts.ts";

/** The keys of their namespaces, which are also the names of their folders. */
const NAMESPACES = {
  d1: "miniflare-D1DatabaseObject",
  kv: "miniflare-KVNamespaceObject",
  queues: QUEUES_KEY,
  r2: "miniflare-R2BucketObject",
} as const;

type KeptInObjects = keyof typeof NAMESPACES;

/** The SQLite file of a database. It may not exist yet. */
export const databaseFile = (directory: string, id: string): string => objectFile("d1", directory, id);

/** The SQLite file of an object of the kind. It may not exist yet. */
export const objectFile = (kind: KeptInObjects, directory: string, id: string): string =>
  path.join(directory, NAMESPACES[kind], `${objectIdOf(NAMESPACES[kind], id)}.sqlite`);

/** Removes the objects of all others of the kind from its directory. */
export async function sweepObjects(kind: KeptInObjects, directory: string, kept: Iterable<string>): Promise<void> {
  const namespace = NAMESPACES[kind];
  const folder = path.join(directory, namespace);
  const ids = new Set([...kept].map((id) => objectIdOf(namespace, id)));
  for (const name of await readdir(folder).catch(() => [])) {
    const [, id] = /^([0-9a-f]{64})\.sqlite/.exec(name) ?? [];
    if (id !== undefined && !ids.has(id)) await rm(path.join(folder, name), { force: true });
  }
}
