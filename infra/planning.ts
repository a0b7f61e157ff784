/** Asks what is live, plans the way from there to the release, and shows the plan. */
import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "./config.ts";
import { describe } from "./lifecycle/findings.ts";
import type { Migration } from "./lifecycle/history.ts";
import { forStack, type Plan, plan } from "./lifecycle/plan.ts";
import { report } from "./lifecycle/report.ts";
import { type LiveWorker, listWorkers, readClassesOf, readLive } from "./live.ts";
import { migrations } from "./migrations.ts";
import { providerReads } from "./provider-reads.ts";
import { PlanRefused } from "./refused.ts";
import type { Release } from "./release/read.ts";

/**
 * What is live in the stack and the plan from there to `release`.
 * @throws PlanRefused when the release was built from another history than the program has.
 */
export async function planFor(settings: Settings, release: Release): Promise<{ live: LiveWorker; plan: Plan }> {
  const last = migrations.at(-1)?.name ?? "";
  if (release.migration.step !== last) {
    throw new PlanRefused([
      {
        code: "release_step_mismatch",
        subject: settings.release,
        message: `the release was built at step ${release.migration.step}, but infra/migrations.ts ends at ${last}.`,
        fix: "build it again (`npm run build`), or check out the commit that it was built from.",
      },
    ]);
  }
  const { accountId, workerName, stack, allowDestroy, rollout } = settings;
  const workers = await listWorkers(providerReads(accountId));
  const [live, others] = await Promise.all([
    readLive(workers, workerName),
    readClassesOf(workers, otherWorkers(forStack(migrations, stack))),
  ]);
  const planned = plan({
    migrations,
    stack,
    live,
    code: release.classes,
    bound: release.bindings.map(({ className }) => className),
    references: live.references,
    others,
    allowDestroy,
    rollout,
  });
  await pulumi.log.info(report(planned));
  for (const warning of planned.warnings) await pulumi.log.warn(describe(warning));
  return { live, plan: planned };
}

/** Other Workers that the history's transfers name. */
function otherWorkers(steps: readonly Migration[]): readonly string[] {
  return steps
    .flatMap(({ changes }) => changes)
    .flatMap((change) => {
      if (change.op === "send") return [change.toWorker];
      return change.op === "receive" ? [change.fromWorker] : [];
    });
}
