/** D1 databases on disk: Miniflare keeps each in an object of its own, whose id follows from the database's id. */
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { objectIdOf } from "./objects.ts";

/** The key of Miniflare's namespace for databases, which is also the name of its folder. */
const NAMESPACE = "miniflare-D1DatabaseObject";

/** The SQLite file of a database. It may not exist yet. */
export const databaseFile = (directory: string, id: string): string =>
  path.join(directory, NAMESPACE, `${objectIdOf(NAMESPACE, id)}.sqlite`);

/** Removes the files of all other databases. */
export async function sweepDatabases(directory: string, kept: Iterable<string>): Promise<void> {
  const folder = path.join(directory, NAMESPACE);
  const ids = new Set([...kept].map((id) => objectIdOf(NAMESPACE, id)));
  for (const name of await readdir(folder).catch(() => [])) {
    const [, id] = /^([0-9a-f]{64})\.sqlite/.exec(name) ?? [];
    if (id !== undefined && !ids.has(id)) await rm(path.join(folder, name), { force: true });
  }
}
