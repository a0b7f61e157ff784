/** The program's part of planning: reads through the provider, shows the plan, and ends the program when it is refused. */

import { describe } from "@durable-stack/class-lifecycle";
import * as pulumi from "@pulumi/pulumi";
import { migrations } from "../migrations.ts";
import { promotionFindings } from "../release/promotion.ts";
import type { Release } from "../release/read.ts";
import type { Settings } from "../stack/config.ts";
import { engineState } from "./engine-state.ts";
import { engineColors, terminalColors } from "./paint.ts";
import { type Preview, previewOf } from "./preview.ts";
import { providerReads } from "./provider-reads.ts";
import { PlanRefused } from "./refused.ts";
import { report } from "./report.ts";

/**
 * What is live in the stack and the plan from there to `release`, which it shows.
 * @throws PlanRefused with everything that stands against it.
 */
export async function planFor(settings: Settings, release: Release): Promise<Preview> {
  const findings = await promotionFindings(settings.promotesFrom, release);
  const reads = providerReads(settings.accountId);
  const known = await engineState();
  const preview = await previewOf({ reads, settings, release, migrations, findings, known });
  // The engine decides by itself where colour is shown; without one, it is the terminal that does.
  const paint = pulumi.runtime.getEngine() ? engineColors : terminalColors(process.stdout);
  await pulumi.log.info(report(preview, paint));
  for (const warning of preview.warnings) await pulumi.log.warn(describe(warning));
  if (preview.errors.length) throw new PlanRefused(preview.errors);
  return preview;
}
