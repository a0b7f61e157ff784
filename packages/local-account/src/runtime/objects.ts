/** The objects of a namespace as their files tell: one SQLite file an object, named by its id, in the namespace's folder. */
import { readdir } from "node:fs/promises";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Ids of all objects that ever opened their storage, sorted. */
export async function objectIds(folder: string): Promise<string[]> {
  const files = await readdir(folder).catch(() => []);
  return files
    .filter((file) => /^[0-9a-f]{64}\.sqlite$/.test(file))
    .map((file) => file.slice(0, 64))
    .sort();
}

/** Whether the object has rows or tables of its own; one that deleted everything keeps an empty file. */
export function hasStoredData(folder: string, id: string): boolean {
  const db = new DatabaseSync(path.join(folder, `${id}.sqlite`), { readOnly: true });
  try {
    const tables = db
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
      .all()
      .map(({ name }) => String(name));
    if (tables.some((name) => !name.startsWith("_cf_"))) return true;
    return tables.includes("_cf_KV") && db.prepare("SELECT 1 FROM _cf_KV LIMIT 1").get() !== undefined;
  } finally {
    db.close();
  }
}
