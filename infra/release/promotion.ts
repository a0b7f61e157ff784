/** The promotion guard: a stack that promotes from another one deploys only what that one serves. */
import * as pulumi from "@pulumi/pulumi";
import { PlanRefused } from "../refused.ts";
import { shortDigest } from "./manifest.ts";
import type { Release } from "./read.ts";

/**
 * Checks that `stack` (of the same project and organization) serves `release`; does nothing where no stack is named.
 * @throws PlanRefused when it serves another one, or none.
 */
export async function mustServe(stack: string | undefined, release: Release): Promise<void> {
  if (stack === undefined) return;
  const reference = new pulumi.StackReference(`${pulumi.getOrganization()}/${pulumi.getProject()}/${stack}`);
  const { value } = await reference.getOutputDetails("digest");
  if (value === release.digest) return;
  const served = typeof value === "string" ? `serves ${shortDigest(value)}` : "serves no release";
  throw new PlanRefused([
    {
      code: "not_promoted",
      subject: `release ${shortDigest(release.digest)}`,
      message: `${stack} ${served}.`,
      fix: `deploy this release to ${stack} first, or give this stack the artifact that ${stack} runs.`,
    },
  ]);
}
