/**
 * The promotion guard of the program: a stack that promotes from another one deploys only what that one serves, to all its callers.
 * The account is asked what that is: the other stack's outputs are of its last update, and something else may have moved
 * its traffic since.
 */
import * as pulumi from "@pulumi/pulumi";
import * as v from "valibot";
import { messageOf } from "../common/errors.ts";
import { firstLine, isUserError } from "../common/user-error.ts";
import { sourceReads } from "../plan/account/provider-reads.ts";
import { type LiveWorker, readWorker } from "../plan/live/worker.ts";
import type { Finding } from "../plan/rules/codes.ts";
import type { Release } from "../release/read.ts";
import type { PublicSettings } from "../stack/config.ts";
import { promotedFrom } from "./guard.ts";
import { servedOf } from "./served.ts";

type Promotion = Pick<PublicSettings, "promotesFrom" | "soakMinutes" | "promotionOverride">;

/** What the program exports of what a stack serves (infra/index.ts). */
const Exported = v.object({
  outputs: v.object({
    digest: v.optional(v.string()),
    share: v.optional(v.number()),
    since: v.optional(v.string()),
    migration: v.optional(v.string()),
    accountId: v.optional(v.string()),
    workerName: v.optional(v.string()),
  }),
});

/**
 * What stands against `release` when the stack of `promotesFrom` (of the same project and organization) does not serve
 * it, or has not for `soakMinutes`.
 */
export async function promotionFindings(settings: Promotion, release: Release): Promise<readonly Finding[]> {
  const { promotesFrom: stack } = settings;
  if (stack === undefined) return [];
  const name = `${pulumi.getOrganization()}/${pulumi.getProject()}/${stack}`;
  let answer: unknown;
  try {
    // Asked by a call and not by a StackReference: a resource that fails ends the program before it could say why.
    answer = await pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", { name });
  } catch (error) {
    return [notReadable(stack, name, error)];
  }
  const exported = v.safeParse(Exported, answer);
  const { digest, share, since, migration, accountId, workerName } = exported.success ? exported.output.outputs : {};
  const live = await liveOf(accountId, workerName);
  if (!("why" in live)) {
    const observed = { from: stack, served: servedOf(live, release.digest), since: live.servedSince };
    return promotedFrom(observed, release, settings);
  }
  const served = digest === undefined ? undefined : { digest, share, step: migration };
  return [
    ...promotedFrom({ from: stack, served, since }, release, settings),
    {
      code: "promotion_unchecked",
      subject: stack,
      message: `what it serves is taken from its last update, and a rollback or the dashboard may have moved its traffic since: ${live.why}.`,
      fix: `\`npm run promote -- --from ${stack} … --check\` reads its account; so does \`up\` where the account's token may, or FROM_CLOUDFLARE_API_TOKEN (a token that reads is enough).`,
    },
  ];
}

/** What the Worker of the other stack serves, or why that cannot be read. */
async function liveOf(
  accountId: string | undefined,
  workerName: string | undefined,
): Promise<LiveWorker | { readonly why: string }> {
  if (accountId === undefined || workerName === undefined) {
    return { why: "it was updated before it noted its account and its Worker" };
  }
  try {
    const reads = sourceReads(accountId);
    return reads ? await readWorker(reads, workerName) : { why: "its account is read with an API token only" };
  } catch (error) {
    if (!isUserError(error)) throw error;
    return { why: `its account cannot be read from here: ${firstLine(error.message)}` };
  }
}

function notReadable(stack: string, name: string, error: unknown): Finding {
  const reason = messageOf(error);
  if (/unknown stack|not found|no stack named/i.test(reason)) {
    return {
      code: "promotion_stack_missing",
      subject: stack,
      message: `promotesFrom names it, and there is no stack ${name}.`,
      fix: `correct promotesFrom, or make that stack and deploy this release to it first (\`pulumi stack init ${stack}\`).`,
    };
  }
  return {
    code: "promotion_stack_unreadable",
    subject: stack,
    message: `promotesFrom names it, and what it serves cannot be read: ${reason.split("\n")[0]}.`,
    fix: "see that `pulumi stack output --stack` shows it from here; both stacks must be in one backend and organization.",
  };
}
