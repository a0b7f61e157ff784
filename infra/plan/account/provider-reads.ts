/**
 * The reads of the program: of the account that the provider writes to, with its credentials.
 *
 * With a token they go through the REST API: the provider repeats whatever fails for three minutes, and a person
 * who waits for a plan should hear within seconds that an API is not well. With other credentials (a key and an email)
 * they go through the provider's data sources.
 */
import * as pulumi from "@pulumi/pulumi";
import * as cloudflare from "../../cloudflare.ts";
import { UserError } from "../../common/user-error.ts";
import { Api, READ_LIMIT } from "../../provider/api.ts";
import {
  CLOUDFLARE,
  complete,
  describedAccount,
  type Environment,
  isOfThisMachine,
  sourceEnvironment,
} from "../../stack/account.ts";
import { Reads } from "./reads.ts";

/**
 * Reads `accountId` as the provider of the running program does.
 * @throws UserError where that would show the token of a local account to Cloudflare.
 */
export const providerReads = (accountId: string): Reads =>
  readsWith(accountId, process.env, pulumi.runtime.allConfig());

/**
 * Reads the account of the stack that a release comes from: with variables of its own, else as the target's is read.
 * Undefined where there is no token: the provider ends the program on an account that its credentials may not read.
 */
export function sourceReads(accountId: string): Reads | undefined {
  const { "cloudflare:apiToken": token, ...config } = pulumi.runtime.allConfig();
  const isOwn = Boolean(process.env.FROM_CLOUDFLARE_API_TOKEN);
  const env = sourceEnvironment(process.env);
  if (!env.CLOUDFLARE_API_TOKEN && !token) return undefined;
  return readsWith(accountId, env, isOwn || !token ? config : { ...config, "cloudflare:apiToken": token });
}

function readsWith(accountId: string, variables: Environment, config: Environment): Reads {
  // wrangler's variable says nothing to the provider: what is read must be of the account that is written to.
  const env = { ...variables, CLOUDFLARE_API_BASE_URL: undefined };
  const account = complete(describedAccount(env, config, accountId));
  // A token of the stack's config is meant for where the stack is; one of the environment is whoever's was exported.
  if (!config["cloudflare:apiToken"]) mustNotLeak(account?.apiUrl);
  if (!account) return new Reads(accountId, cloudflare, undefined);
  return Reads.through(
    new Api({ baseUrl: account.apiUrl, token: account.token }, { readLimit: READ_LIMIT }),
    accountId,
  );
}

/** wrangler's variable alone names a local account: the token is that account's, and the provider asks Cloudflare. */
function mustNotLeak(apiUrl: string | undefined): void {
  const { CLOUDFLARE_API_BASE_URL: wranglers } = process.env;
  if (apiUrl !== CLOUDFLARE || !wranglers || !isOfThisMachine(wranglers)) return;
  throw new UserError(
    `CLOUDFLARE_API_BASE_URL points wrangler at ${wranglers}, and the provider, which does not read it, would send this token to Cloudflare. Fix: for that account export CLOUDFLARE_BASE_URL=${wranglers} too; for Cloudflare unset CLOUDFLARE_API_BASE_URL.`,
  );
}
