/** What a wrangler file (json, jsonc or toml) says of Durable Object classes, by wrangler's own reader. */
import { existsSync } from "node:fs";
import type { Migration } from "@durable-stack/class-lifecycle";
import { historyOfExports, historyOfMigrations } from "@durable-stack/class-lifecycle";

/**
 * A first history from the wrangler file at `path`.
 * @throws Error when there is no such file, wrangler cannot read it, or it declares no class.
 */
export async function historyOfFile(path: string): Promise<readonly Migration[]> {
  if (!existsSync(path)) throw new Error(`There is no file ${path}.`);
  // Loaded here only: no other command needs it.
  const { unstable_readConfig } = await import("wrangler");
  const { migrations, exports } = unstable_readConfig({ config: path }, { hideWarnings: true });
  const history = migrations.length ? historyOfMigrations(migrations) : historyOfExports(exports);
  if (history.length === 0) {
    throw new Error(`${path} has neither \`migrations\` nor \`exports\` with Durable Object classes.`);
  }
  return history;
}
