/** Whether the provider has what opens an account, before it is asked for anything: pure. */
import { apiToken } from "../../provider/facts/index.ts";
import { SENDABLE, shapeOf } from "../../provider/token.ts";
import type { Environment } from "../../stack/account.ts";
import type { Finding } from "../rules/codes.ts";

/** What the provider takes as `cloudflare:apiToken`; one that only the environment has it does not look at. */
const CONFIGURED_TOKEN = new RegExp(apiToken);

const FIX =
  "make one at https://dash.cloudflare.com/profile/api-tokens (Workers Scripts, KV, R2: edit), then export CLOUDFLARE_API_TOKEN or run `pulumi config set --secret cloudflare:apiToken`.";

/**
 * What is wrong with the credentials in a stack's config and the environment. The token itself is in no message.
 * `config`: the stack's, by full key, secrets plain.
 */
export function credentialFindings(config: Environment, env: Environment): readonly Finding[] {
  const configured = config["cloudflare:apiToken"];
  if (configured) {
    if (CONFIGURED_TOKEN.test(configured)) return [];
    return [
      {
        code: "token_malformed",
        subject: "cloudflare:apiToken",
        message: `an API token has 40 to 80 letters, digits, hyphens and underscores, and this one has ${shapeOf(configured)}.`,
        fix: "set the whole token and nothing else: `pulumi config set --secret cloudflare:apiToken`.",
      },
    ];
  }
  const given = env.CLOUDFLARE_API_TOKEN;
  if (given) {
    if (SENDABLE.test(given)) return [];
    return [
      {
        code: "token_malformed",
        subject: "CLOUDFLARE_API_TOKEN",
        message: `no request can carry it: it has ${shapeOf(given)}.`,
        fix: "export only the token, without spaces or line breaks.",
      },
    ];
  }
  const set = (name: string, variable: string) => Boolean(config[`cloudflare:${name}`] || env[variable]);
  const withKey = set("apiKey", "CLOUDFLARE_API_KEY") && set("email", "CLOUDFLARE_EMAIL");
  if (withKey || set("apiUserServiceKey", "CLOUDFLARE_API_USER_SERVICE_KEY")) return [];
  return [
    {
      code: "token_missing",
      subject: "CLOUDFLARE_API_TOKEN",
      message: "nothing opens the account: neither the environment nor the stack's config has an API token.",
      fix: FIX,
    },
  ];
}
