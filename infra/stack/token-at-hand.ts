/** Whether an update of a stack would find its admin token, as far as that is seen without the Pulumi CLI. */
import { join } from "node:path";
import { UserError } from "../common/user-error.ts";
import { ROOT } from "../release/root.ts";
import type { Environment } from "./account.ts";
import { fullKey, LOCAL, ownFile, readProject, readStackFile } from "./project.ts";
import { adminTokenProblem, type SettingKey } from "./schema.ts";

const KEY = "adminToken" satisfies SettingKey;

/**
 * @throws UserError where an update that makes a version would end for want of the admin token. A command asks before it
 * changes the settings: else they would say what no update brings into force.
 */
export function mustFindToken(stack: string, { env = process.env, root = ROOT }: Where = {}): void {
  if (stack === LOCAL || hasOwn(stack, root)) return;
  const given = env.ADMIN_TOKEN;
  const problem = given ? adminTokenProblem(given) : undefined;
  if (given && problem === undefined) return;
  const why = problem === undefined ? "is not at hand" : `in ADMIN_TOKEN ${problem}`;
  throw new UserError(
    `A version of the Worker has the admin token in it, and that of ${stack} ${why}. Nothing was changed. Fix: export it as ADMIN_TOKEN. Where only CI has it, nobody can read it there: docs/runbooks.md, "Where only CI has the admin token".`,
  );
}

/** The admin token of a stack that the environment has. A local account has one of its own. */
export const exportedToken = (stack: string, env: Environment = process.env): string | undefined =>
  stack === LOCAL ? undefined : env.ADMIN_TOKEN || undefined;

interface Where {
  readonly env?: Environment;
  readonly root?: string;
}

/** Whether the stack's file has a token, be it encrypted, or an environment of Pulumi's, which may have one. */
function hasOwn(stack: string, root: string): boolean {
  const { name, config, encryptedKeys } = readProject(root, stack);
  const key = fullKey(name, KEY);
  return Boolean(config[key]) || encryptedKeys.includes(key) || hasEnvironment(join(root, ownFile(stack)));
}

const hasEnvironment = (file: string): boolean => readStackFile(file).environment !== undefined;
