/** The admin token of the Workers in a local account. */
import { randomBytes } from "node:crypto";
import { join, relative } from "node:path";
import { makeFolder, readIfThere, writeNamed } from "../common/named-file.ts";
import { UserError } from "../common/user-error.ts";
import { ROOT } from "../release/root.ts";
import { adminTokenProblem } from "../stack/schema.ts";

/** In the account's folder: the token for deposits and resets of the Workers that are deployed there. */
const ADMIN_TOKEN_FILE = "admin-token";

/** Variables with the tokens of another stack: what deploys to a local account does not get to see them. */
export const WITHOUT_TOKENS = { ADMIN_TOKEN: undefined, ADMIN_TOKEN_PREVIOUS: undefined };

/**
 * The token that belongs to the account of `dir`, made at first use: the same for `npm start` and for the Pulumi CLI.
 * @throws UserError where the file holds none that a Worker takes, or cannot be read or written.
 */
export function adminTokenOf(dir: string): string {
  const file = join(dir, ADMIN_TOKEN_FILE);
  const there = readIfThere(file);
  if (there !== undefined) return kept(file, there.trim());
  const token = `local-${randomBytes(16).toString("hex")}`;
  makeFolder(dir);
  writeNamed(file, `${token}\n`, 0o600);
  return token;
}

function kept(file: string, token: string): string {
  const problem = token === "" ? "is empty" : adminTokenProblem(token);
  if (problem === undefined) return token;
  throw new UserError(
    `${relative(ROOT, file)} does not hold an admin token: it ${problem}. Delete the file: a new token is made, and the Workers get it with the next deployment.`,
  );
}
