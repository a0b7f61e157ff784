/** Gathers what a promotion is decided by: reads both accounts, smoke-tests the one, rehearses for the other. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { migrations } from "../migrations.ts";
import { readWorker } from "../plan/live.ts";
import type { Preview } from "../plan/preview.ts";
import { previewStack } from "../plan/status.ts";
import { type Release, readRelease } from "../release/read.ts";
import { ROOT } from "../release/root.ts";
import { smoke } from "../smoke/smoke.ts";
import type { Environment } from "../stack/account.ts";
import { releaseDir } from "../stack/config.ts";
import { openStack } from "../stack/open.ts";
import type { Facts } from "./decide.ts";

export interface Promotion {
  readonly from: string;
  readonly to: string;
  readonly dir: string;
  /** What opens the account of `from`, over this process's own environment. */
  readonly fromEnv: Environment;
  /** Where the Worker of `from` answers. */
  readonly fromUrl: URL;
  readonly overrides: Facts["overrides"];
  readonly say: (line: string) => void;
}

export interface Gathered {
  readonly facts: Facts;
  readonly preview: Preview;
  readonly release: Release;
}

/** Sends nothing to the account of `to`. */
export async function gather(promotion: Promotion): Promise<Gathered> {
  const { from, to, dir, fromEnv, overrides, say } = promotion;
  const target = openStack(to, { dir });
  const release = readRelease(releaseDir(target.settings));
  const source = openStack(from, { dir, env: { ...process.env, ...fromEnv } });
  const live = await readWorker(source.reads, source.settings.workerName);
  const served = live.serving.find(({ digest }) => digest === release.digest) ?? live.serving[0];
  const share = live.serving.reduce((sum, one) => sum + (one.digest === served?.digest ? one.percentage : 0), 0);

  say(`smoke test of ${from}`);
  const checks = await smoke(promotion.fromUrl, {
    adminToken: fromEnv.ADMIN_TOKEN || undefined,
    digest: release.digest,
  });
  say(`plan of ${to}`);
  const settings = { ...target.settings, rollout: 100 };
  const preview = await previewStack({ ...target, settings }, release, migrations, { dir });
  return {
    release,
    preview,
    facts: {
      from,
      release,
      served: served?.digest === undefined ? undefined : { digest: served.digest, share },
      servedSince: Date.parse(live.deployment?.createdOn ?? "") || undefined,
      soakMinutes: target.settings.soakMinutes,
      now: Date.now(),
      smoke: checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`),
      plan: preview.errors,
      rehearsal: overrides.rehearsal === undefined ? await rehearsed(preview, promotion) : "was left out",
      overrides,
    },
  };
}

/** Why the rehearsal failed, in words that end a sentence; undefined: it passed, or there is nothing to rehearse. */
async function rehearsed({ live, plan, release }: Preview, { to, say }: Promotion): Promise<string | undefined> {
  const serving = live.versions.find(({ versionId }) => versionId === live.serving[0]?.versionId);
  if (!serving) return undefined;
  const tables = JSON.stringify(serving.schemas) !== JSON.stringify(release.schemas);
  if (!plan.changesLifecycle && !tables) return undefined;
  const commit = serving.commit?.replace(/-dirty$/, "");
  if (commit === undefined) return `cannot begin: what ${to} serves does not say which commit it is from`;
  say(`rehearsal after ${commit.slice(0, 12)}, which ${to} serves`);
  const script = join(ROOT, "infra/commands/rehearse.ts");
  const child = spawn(process.execPath, [script, "--from", commit, "--to", release.dir, "--stack", to], {
    cwd: ROOT,
    stdio: "inherit",
  });
  const [code] = await once(child, "close");
  return code === 0 ? undefined : "failed";
}
