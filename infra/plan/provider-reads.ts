/**
 * The reads of the program: of the account that the provider writes to, with its credentials.
 *
 * With a token they go through the REST API: the provider repeats whatever fails for three minutes, and a person
 * who waits for a plan should hear within seconds that an API is not well. With other credentials (a key and an email)
 * they go through the provider's data sources.
 */

import * as pulumi from "@pulumi/pulumi";
import * as cloudflare from "../cloudflare.ts";
import { Api, READ_LIMIT } from "../provider/api.ts";
import { complete, describedAccount } from "../stack/account.ts";
import { Reads } from "./reads.ts";

/** Reads `accountId` as the provider of the running program does. */
export function providerReads(accountId: string): Reads {
  // wrangler's variable says nothing to the provider: what is read must be of the account that is written to.
  const env = { ...process.env, CLOUDFLARE_API_BASE_URL: undefined };
  const account = complete(describedAccount(env, pulumi.runtime.allConfig(), accountId));
  if (!account) return new Reads(accountId, cloudflare, undefined);
  return Reads.through(
    new Api({ baseUrl: account.apiUrl, token: account.token }, { readLimit: READ_LIMIT }),
    accountId,
  );
}
