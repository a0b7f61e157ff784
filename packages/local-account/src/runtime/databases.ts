/**
 * D1 databases and KV namespaces on disk: Miniflare keeps each in an object of its own, whose id follows from that of
 * the database or namespace.
 */
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { objectIdOf } from "./objects.ts";

/** The keys of Miniflare's own namespaces, which are also the names of their folders. */
const NAMESPACES = { d1: "miniflare-D1DatabaseObject", kv: "miniflare-KVNamespaceObject" } as const;

type KeptInObjects = keyof typeof NAMESPACES;

/** The SQLite file of a database. It may not exist yet. */
export const databaseFile = (directory: string, id: string): string =>
  path.join(directory, NAMESPACES.d1, `${objectIdOf(NAMESPACES.d1, id)}.sqlite`);

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
