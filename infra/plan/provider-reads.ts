/** The reads of the program: through the provider's data sources, with the provider's credentials. */
import * as cloudflare from "@pulumi/cloudflare";
import * as pulumi from "@pulumi/pulumi";
import { Api } from "../provider/api.ts";
import { complete, describedAccount } from "../stack/account.ts";
import { Reads } from "./reads.ts";

/** Reads `accountId` as the provider of the running program does. */
export function providerReads(accountId: string): Reads {
  const account = complete(describedAccount(process.env, pulumi.runtime.allConfig(), accountId));
  const api = account && new Api({ baseUrl: account.apiUrl, token: account.token });
  return new Reads(accountId, cloudflare, api);
}
