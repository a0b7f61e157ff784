/** Which Cloudflare account to talk to, and with what: the one place where that is decided. */

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { ADDRESS_FILE, runningAccount } from "@durable-stack/local-account/address";
import { LOOPBACK } from "@durable-stack/local-account/loopback";
import { deployedFolders } from "../apply/folders.ts";
import { isUserError, UserError } from "../common/user-error.ts";
import { ROOT } from "../release/root.ts";

/** A Cloudflare account that can be talked to. */
export interface Account {
  /** Ends in `/client/v4`. */
  readonly apiUrl: string;
  readonly accountId: string;
  readonly token: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where Cloudflare's own API is. */
export const CLOUDFLARE = "https://api.cloudflare.com/client/v4";

/** What is known of an account; what is missing is undefined. */
interface PartialAccount {
  readonly apiUrl: string;
  readonly accountId: string | undefined;
  readonly token: string | undefined;
}

/**
 * The account that a stack's config and the environment name, by the keys of the Pulumi provider
 * (`cloudflare:baseUrl`, `cloudflare:apiToken`) and the variables of the provider, wrangler and the SDK.
 */
export function describedAccount(env: Environment, config: Environment = {}, accountId?: string): PartialAccount {
  return {
    apiUrl: config["cloudflare:baseUrl"] || env.CLOUDFLARE_BASE_URL || env.CLOUDFLARE_API_BASE_URL || CLOUDFLARE,
    accountId: accountId || env.CLOUDFLARE_ACCOUNT_ID || undefined,
    token: config["cloudflare:apiToken"] || env.CLOUDFLARE_API_TOKEN || undefined,
  };
}

/**
 * Whether the account is a local one, which lacks some of Cloudflare: that of `npm start`, of a rehearsal or of a test.
 * `config`: the stack's, by full key.
 */
export const isLocal = (config: Environment, env: Environment = process.env): boolean =>
  isOfThisMachine(describedAccount(env, config).apiUrl);

/** Not every other address is a local account's: a company may send what goes to Cloudflare through a gateway of its own. */
export const isOfThisMachine = (url: string): boolean => URL.canParse(url) && LOOPBACK.test(new URL(url).hostname);

/**
 * What the stack that a release comes from is read with, where its account is another: `FROM_CLOUDFLARE_API_TOKEN` and
 * `FROM_CLOUDFLARE_ACCOUNT_ID` in place of the target's. A token that only reads is enough.
 */
export function sourceEnvironment(env: Environment): Environment {
  const { FROM_CLOUDFLARE_API_TOKEN: token, FROM_CLOUDFLARE_ACCOUNT_ID: account } = env;
  return {
    ...env,
    ...(token && { CLOUDFLARE_API_TOKEN: token }),
    ...(account && { CLOUDFLARE_ACCOUNT_ID: account }),
  };
}

/** The variable that gave the source's value of `name`: its own where that is set, else the target's. */
export const sourceVariable = (name: string, env: Environment): string => (env[`FROM_${name}`] ? `FROM_${name}` : name);

/** The account with all that it takes to talk to it, or undefined. */
export const complete = ({ apiUrl, accountId, token }: PartialAccount): Account | undefined =>
  accountId && token ? { apiUrl, accountId, token } : undefined;

/**
 * The account of the environment alone, as for wrangler; undefined where it names none.
 * @throws UserError where it names half of one: whoever means a Cloudflare account is to get no other.
 */
export function givenAccount(env: Environment): Account | undefined {
  const described = describedAccount(env);
  const { accountId, token } = described;
  if (!accountId === !token) return complete(described);
  const [is, isNot] = token ? [TOKEN, ACCOUNT_ID] : [ACCOUNT_ID, TOKEN];
  throw new UserError(
    `${is} is set and ${isNot} is not. Set both for an account at Cloudflare, or neither for the local one that runs.`,
  );
}

/** An account, and what people call it. */
export interface NamedAccount extends Account {
  readonly called: string;
}

/**
 * The account of a command that knows no stack: the local one on `dir` where a person has named that, else the one of the
 * environment, as for wrangler and Pulumi, else the local one. @throws UserError as `givenAccount` and `localAccount` do.
 */
export function namedAccount(dir: string, isDirNamed: boolean, env: Environment = process.env): NamedAccount {
  const given = isDirNamed ? undefined : givenAccount(env);
  if (given) return { ...given, called: `the account ${given.accountId}` };
  try {
    return { ...localAccount(dir), called: `the local account in ${dir}` };
  } catch (error) {
    if (isDirNamed || !isUserError(error)) throw error;
    throw new UserError(`${ACCOUNT_ID} and ${TOKEN} are not set, and ${error.message}`);
  }
}

const TOKEN = "CLOUDFLARE_API_TOKEN";
const ACCOUNT_ID = "CLOUDFLARE_ACCOUNT_ID";

/**
 * The local account that runs on `dir` (seen from the project, which is in `root`).
 * @throws UserError saying in which folder of the project one runs, and that `start` starts one.
 */
export function localAccount(dir: string, start = "npm start", root = ROOT): Account {
  const folder = resolve(ROOT, dir);
  const running = runningAccount(folder);
  if (running) return { apiUrl: running.apiUrl, accountId: running.accountId, token: running.token };
  const where = existsSync(folder) ? `looked in ${join(dir, ADDRESS_FILE)}` : `the folder ${folder} does not exist`;
  throw new UserError(
    `no local account runs (${where}).${runningElsewhere(root)} Start one in another terminal: ${start}`,
  );
}

/** A sentence on the folders of the project in which a local account runs, with a space before it; or nothing. */
export function runningElsewhere(root = ROOT): string {
  const folders = deployedFolders(root).filter((folder) => runningAccount(join(root, folder)));
  return folders.length === 0 ? "" : ` One runs in ${folders.join(", ")}: to use it, name that folder.`;
}
