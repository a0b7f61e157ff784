/** The stack that a release comes from, whose account may be another: what is wrong with it is told as its own. */

import { isUserError, UserError } from "../common/user-error.ts";
import { type Environment, sourceEnvironment, sourceVariable } from "../stack/account.ts";
import { type OpenStack, openStack, type StackOptions } from "../stack/open.ts";
import { LOCAL } from "../stack/project.ts";

/** Opens the stack that a release comes from. @throws UserError that names it, and the variables it is read with. */
export function openSource(name: string, { env = process.env, ...options }: StackOptions): OpenStack {
  try {
    return openStack(name, { ...options, env: sourceEnvironment(env) });
  } catch (error) {
    throw ofSource(name, error, env);
  }
}

/** What is told of an error that came of reading the stack `name`; an error that is a bug stays as it is. */
export function ofSource(name: string, error: unknown, env: Environment = process.env): unknown {
  if (!isUserError(error)) return error;
  const cannot = `${name}, which the release comes from, cannot be read.`;
  if (name === LOCAL) return new UserError(`${cannot} ${error.message}`, { cause: error });
  return new UserError(
    `${cannot} ${ownVariables(error.message, env)}\nIts account is read with FROM_CLOUDFLARE_API_TOKEN (a token that reads is enough) and FROM_CLOUDFLARE_ACCOUNT_ID, and where they are not set with the variables of the stack that gets the release.`,
    { cause: error },
  );
}

/** A text about the source's account, with the names of the variables that it was read with. */
export const ownVariables = (text: string, env: Environment): string =>
  text.replaceAll(/(?<!FROM_)\bCLOUDFLARE_(?:API_TOKEN|ACCOUNT_ID)\b/g, (name) => sourceVariable(name, env));
