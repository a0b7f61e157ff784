/** The promotion guard: a stack that promotes from another one deploys only what that one serves, to all its callers. */
import type { Finding } from "@durable-stack/class-lifecycle";
import * as pulumi from "@pulumi/pulumi";
import * as v from "valibot";
import { isOverridden } from "../promote/decide.ts";
import type { PublicSettings } from "../stack/config.ts";
import type { Release } from "./read.ts";
import { notServed, soaking } from "./served.ts";

type Promotion = Pick<PublicSettings, "promotesFrom" | "soakMinutes" | "promotionOverride">;

/** What the program exports of what a stack serves (infra/index.ts). */
const Exported = v.object({
  outputs: v.object({ digest: v.optional(v.string()), share: v.optional(v.number()), since: v.optional(v.string()) }),
});

/**
 * What stands against `release` when the stack of `promotesFrom` (of the same project and organization) does not serve
 * it, or has not for `soakMinutes`.
 */
export async function promotionFindings(
  { promotesFrom: stack, soakMinutes, promotionOverride }: Promotion,
  release: Release,
): Promise<readonly Finding[]> {
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
  const { digest, share, since } = exported.success ? exported.output.outputs : {};
  const findings = notServed(stack, release, digest === undefined ? undefined : { digest, share });
  if (findings.length > 0 || isOverridden(promotionOverride, release.digest, "soak")) return findings;
  return soaking(release, { stack, since, soakMinutes, now: Date.now() });
}

function notReadable(stack: string, name: string, error: unknown): Finding {
  const reason = error instanceof Error ? error.message : String(error);
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
