/** The program's part of planning: reads through the provider, shows the plan, and ends the program when it is refused. */
import { describe } from "@durable-stack/class-lifecycle";
import * as pulumi from "@pulumi/pulumi";
import { promotionFindings } from "../promote/program-guard.ts";
import { lockFindings, ownMigrations } from "../release/own-migrations.ts";
import type { Release } from "../release/read.ts";
import { staleLine } from "../release/stale.ts";
import type { Settings } from "../stack/config.ts";
import { type ProgramBindings, programNames } from "../stack/program-bindings.ts";
import { secretsMark } from "../stack/secrets-mark.ts";
import { credentialFindings } from "./account/credentials.ts";
import { providerReads } from "./account/provider-reads.ts";
import { unreadable } from "./account/unreadable.ts";
import { engineColors, terminalColors } from "./paint.ts";
import { type Preview, previewOf } from "./preview/preview.ts";
import { report } from "./report.ts";
import type { Finding } from "./rules/codes.ts";
import { PlanRefused } from "./rules/plan-refused.ts";
import { engineState } from "./state/engine.ts";

/**
 * What is live in the stack and the plan from there to `release`, which it shows. `program`: what infra/index.ts adds.
 * @throws PlanRefused with everything that stands against it.
 */
export async function planFor(settings: Settings, release: Release, program: ProgramBindings): Promise<Preview> {
  const migrations = ownMigrations();
  const engine = pulumi.runtime.getEngine() !== undefined;
  // Without the engine, no provider checks the token.
  refuse(engine ? credentialFindings(pulumi.runtime.allConfig(), process.env) : []);
  const promotion = await promotionFindings(settings, release);
  const reads = providerReads(settings.accountId);
  const known = await engineState();
  const preview = await reading(settings.accountId, () =>
    previewOf({
      reads,
      settings,
      release,
      migrations,
      lock: lockFindings(),
      promotion,
      known,
      secrets: secretsMark(settings, program.secrets),
      program: programNames(program),
    }),
  );
  // The engine decides by itself where colour is shown; without one, it is the terminal that does.
  const paint = engine ? engineColors : terminalColors(process.stdout);
  await pulumi.log.info(report(preview, paint));
  const stale = staleLine(release);
  if (stale !== undefined) await pulumi.log.warn(stale);
  for (const warning of preview.warnings) await pulumi.log.warn(describe(warning));
  refuse(preview.errors);
  return preview;
}

function refuse(findings: readonly Finding[]): void {
  if (findings.length) throw new PlanRefused(findings);
}

/** @throws PlanRefused where the account cannot be read. */
async function reading<T>(accountId: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const finding = unreadable(accountId, error);
    throw finding ? new PlanRefused([finding]) : error;
  }
}
