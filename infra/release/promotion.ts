/** The promotion guard: a stack that promotes from another one deploys only what that one serves. */
import type { Finding } from "@durable-stack/class-lifecycle";
import * as pulumi from "@pulumi/pulumi";
import type { Release } from "./read.ts";
import { notServed } from "./served.ts";

/** What stands against `release` when `stack` (of the same project and organization) does not serve it. */
export async function promotionFindings(stack: string | undefined, release: Release): Promise<readonly Finding[]> {
  if (stack === undefined) return [];
  const reference = new pulumi.StackReference(`${pulumi.getOrganization()}/${pulumi.getProject()}/${stack}`);
  const { value } = await reference.getOutputDetails("digest");
  return notServed(stack, release, typeof value === "string" ? value : undefined);
}
