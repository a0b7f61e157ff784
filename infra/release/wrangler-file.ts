/** What a wrangler file (json, jsonc or toml) says of Durable Object classes, by wrangler's own reader. */

import { existsSync } from "node:fs";
import type { Migration } from "@durable-stack/class-lifecycle";
import { historyOfExports, historyOfMigrations } from "@durable-stack/class-lifecycle";
import { UserError } from "../common/user-error.ts";

/**
 * A first history from the wrangler file at `path`, as it is for the environment `env` (what wrangler's own `--env`
 * names) or outside of all environments.
 * @throws Error when there is no such file or environment, wrangler cannot read it, or it declares no class there.
 */
export async function historyOfFile(path: string, env?: string): Promise<readonly Migration[]> {
  if (!existsSync(path)) throw new UserError(`There is no file ${path}.`);
  // Loaded here only: no other command needs it.
  const { unstable_readConfig } = await import("wrangler");
  const read = (environment?: string) =>
    unstable_readConfig(
      { config: path, ...(environment !== undefined && { env: environment }) },
      { hideWarnings: true },
    );
  const historyOf = ({ migrations, exports }: ReturnType<typeof read>): readonly Migration[] =>
    migrations.length ? historyOfMigrations(migrations) : historyOfExports(exports);

  const top = read();
  const environments: readonly string[] = top.definedEnvironments ?? [];
  if (env !== undefined && !environments.includes(env)) {
    throw new UserError(`${path} has no environment ${env}. It has: ${environments.join(", ") || "none"}.`);
  }
  const history = historyOf(env === undefined ? top : read(env));
  if (history.length) return history;

  const nothing = `${path} has neither \`migrations\` nor \`exports\` with Durable Object classes`;
  const others = environments.filter((name) => name !== env && historyOf(read(name)).length > 0);
  if (others.length === 0) throw new UserError(`${nothing}${environments.length ? ", in no environment either" : ""}.`);
  const where = env === undefined ? "outside its environments" : `for the environment ${env}`;
  throw new UserError(`${nothing} ${where}. It has some in: ${others.join(", ")}. Say which with --env.`);
}
