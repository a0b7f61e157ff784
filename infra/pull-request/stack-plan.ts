/** What the next deployment of a release to a stack would do, for the people who look at a pull request. It only reads. */
import { describe } from "@durable-stack/class-lifecycle";
import { unreadable } from "../plan/account/unreadable.ts";
import { report } from "../plan/report.ts";
import { previewUnguarded } from "../plan/stack-preview.ts";
import type { Release } from "../release/read.ts";
import { type OpenStack, openStack, StackUnavailable } from "../stack/open.ts";
import type { StackPlan } from "./found.ts";

/**
 * The plan, or why there is none. What the stack is promoted from is not asked: nobody serves this release yet.
 * `dir` is the local account's folder, for the stack `local`.
 */
export async function planOf(stack: string, release: Release, dir: string): Promise<StackPlan> {
  const unknown = (text: string): StackPlan => ({ stack, outcome: "unknown", text });
  const open = opened(stack, dir);
  if (open instanceof StackUnavailable) return unknown(open.message);
  try {
    const preview = await previewUnguarded(open, release);
    const { errors, warnings } = preview;
    const lines = [report(preview), ...[...warnings, ...errors].map(describe)];
    return { stack, outcome: errors.length > 0 ? "refused" : "planned", text: lines.join("\n") };
  } catch (error) {
    const finding = unreadable(open.settings.accountId, error);
    if (!finding) throw error;
    return unknown(describe(finding));
  }
}

function opened(stack: string, dir: string): OpenStack | StackUnavailable {
  try {
    return openStack(stack, { dir });
  } catch (error) {
    if (error instanceof StackUnavailable) return error;
    throw error;
  }
}
