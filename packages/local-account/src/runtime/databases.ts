/** D1 databases on disk: Miniflare keeps each in an object of its own, whose id follows from the database's. */
import { createHash, createHmac } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import path from "node:path";

/** The key of Miniflare's namespace for them, which is also the name of its folder. */
const NAMESPACE = "miniflare-D1DatabaseObject";

/** Removes the files of all databases but those. */
export async function sweepDatabases(directory: string, kept: Iterable<string>): Promise<void> {
  const folder = path.join(directory, NAMESPACE);
  const ids = new Set([...kept].map(objectIdOf));
  for (const name of await readdir(folder).catch(() => [])) {
    const [, id] = /^([0-9a-f]{64})\.sqlite/.exec(name) ?? [];
    if (id !== undefined && !ids.has(id)) await rm(path.join(folder, name), { force: true });
  }
}

/** The id that workerd gives to the object of this name. */
function objectIdOf(name: string): string {
  const key = createHash("sha256").update(NAMESPACE).digest();
  const half = (contents: string | Buffer) => createHmac("sha256", key).update(contents).digest().subarray(0, 16);
  const first = half(name);
  return Buffer.concat([first, half(first)]).toString("hex");
}
