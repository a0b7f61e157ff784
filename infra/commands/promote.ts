/**
 * `npm run promote -- --from staging --to production`: rolls out to one stack what another has served long enough.
 * Exit code 1 and every reason at once where it may not be.
 */

import { join } from "node:path";
import { describe } from "@durable-stack/class-lifecycle";
import { Command, InvalidArgumentError, Option } from "commander";
import { inForeground } from "../apply/foreground.ts";
import { saying } from "../common/interrupted.ts";
import { mustBeWritable, readNamed, writeNamed } from "../common/named-file.ts";
import { UserError } from "../common/user-error.ts";
import type { Preview } from "../plan/preview/preview.ts";
import { report } from "../plan/report.ts";
import { previewStack } from "../plan/stack-preview.ts";
import { type ApprovedPlan, differences, hashOf, planFile, planToApprove, readPlan } from "../promote/approved.ts";
import { decide, untriedReason } from "../promote/decide.ts";
import { gather } from "../promote/gather.ts";
import { type Overrides, overrideRecord, RULES, type Rule } from "../promote/override.ts";
import { soakReason } from "../promote/soak.ts";
import { openSource } from "../promote/source.ts";
import { changesData } from "../promote/to-rehearse.ts";
import { shortDigest } from "../release/manifest.ts";
import { type Release, readRelease } from "../release/read.ts";
import { ROOT } from "../release/root.ts";
import { commitIn } from "../release/source.ts";
import { refusePinned } from "../rollout/pinned.ts";
import { rollOut } from "../rollout/run.ts";
import { releaseDir } from "../stack/config.ts";
import { type OpenStack, openStack } from "../stack/open.ts";
import { changeSetting, settingsFile } from "../stack/settings-file.ts";
import { exportedToken, mustFindToken } from "../stack/token-at-hand.ts";
import { goOnLine } from "../stack/traffic-lines.ts";
import { confirm, runCommand } from "./command.ts";
import { DIR, workerUrl } from "./options.ts";
import { addressOf, EXIT, OF_TARGET, stopBetweenUpdates } from "./rollout-end.ts";

interface Options {
  readonly from: string;
  readonly to: string;
  readonly dir: string;
  readonly url?: URL;
  readonly toUrl?: URL;
  readonly adminToken?: string;
  readonly digest?: string;
  readonly override: Overrides;
  readonly check?: boolean;
  readonly savePlan?: string;
  readonly plan?: string;
  readonly yes?: boolean;
}

const command = new Command("npm run promote --")
  .description(
    "Roll out to a stack the release that another one serves to everybody, once it is smoke-tested there and its soak time is over. Exit code 1: it may not be, and every reason is told; else those that `npm run rollout -- run --help` tells.",
  )
  .requiredOption("--from <stack>", "the stack that serves the release")
  .requiredOption("--to <stack>", "the stack that gets it, from its `release` folder")
  .option("--url <url>", "where the first one answers, for the smoke test (default: its host name)", workerUrl)
  .option("--to-url <url>", "where the second one answers, for its rollout (default: its host name)", workerUrl)
  .option("--admin-token <token>", "of the first one, for the smoke test (default: $FROM_ADMIN_TOKEN)")
  .option("--digest <sha256>", "the digest that the release must have")
  .addOption(
    new Option("--override <rule=why>", `goes on though a rule is broken: ${RULES.join(" or ")}`)
      .default(new Map(), "none")
      .argParser(override),
  )
  .option("--check", "says whether it may be, and deploys nothing")
  .option(
    "--save-plan <file>",
    "writes what would be done, for a reviewer, and deploys nothing; the soak time may still run, and the token be missing",
  )
  .option("--plan <file>", "what was approved; where anything else would be done now, nothing is deployed")
  .option(...DIR)
  .option("--yes", "do not ask")
  .showHelpAfterError()
  .action(promote);

async function promote(options: Options): Promise<void> {
  const judged = await judge(options, await opened(options));
  if (options.savePlan !== undefined) {
    save(options.savePlan, judged);
    return;
  }
  const { release, approved, overridden } = judged;
  if (approved) console.log(`It is the plan that was approved, ${shortDigest(hashOf(approved))}.`);
  console.log(`${shortDigest(release.digest)} may go from ${options.from} to ${options.to}.`);
  for (const rule of overridden) console.log(`overridden: ${rule}`);
  if (!options.check) await goOut(options, judged);
}

/** What a promotion is between, and of. */
interface Opened {
  readonly source: OpenStack;
  readonly target: OpenStack;
  readonly release: Release;
  /** The plan of `--plan`. */
  readonly approved: ApprovedPlan | undefined;
}

/** Opens all that the options name. @throws UserError before the smoke test and the rehearsal, which take minutes. */
async function opened(options: Options): Promise<Opened> {
  const { from, to, dir, digest, check, savePlan, plan } = options;
  if (from === to) throw new UserError(`--from and --to are both ${from}: name two stacks.`);
  if (savePlan !== undefined) mustBeWritable(savePlan);
  const approved = plan === undefined ? undefined : readPlan(plan, readNamed(plan));
  const source = openSource(from, { dir });
  const target = openStack(to, { dir });
  await refusePinned(target, dir);
  if (!check && savePlan === undefined) mustBeDeployable(target, options);
  const release = readRelease(releaseDir(target.settings));
  if (digest !== undefined && digest !== release.digest) {
    throw new UserError(
      `${target.settings.release} is not the release that is expected: its digest is ${release.digest}, not ${digest}.`,
    );
  }
  return { source, target, release, approved };
}

/** @throws UserError where a deployment would only find at its end that the address or the token is not known. */
function mustBeDeployable(target: OpenStack, options: Options): void {
  addressIn(target, options);
  mustFindToken(target.name);
}

/** Where the stack answers that gets the release. @throws UserError where that is not known. */
const addressIn = ({ settings }: OpenStack, { toUrl, dir }: Options): URL =>
  toUrl ?? addressOf(settings, dir, OF_TARGET);

/** A promotion that may be, as far as it was asked. */
interface Judged extends Opened {
  /** What would be done. */
  readonly plan: ApprovedPlan;
  /** The rules that are broken, with why it goes on all the same. */
  readonly overridden: readonly string[];
  /** What a promotion would still be refused for, and `--save-plan` is not: a line each. */
  readonly waits: readonly string[];
}

/** Shows what would be done. @throws UserError with every reason why it may not be, or that it is not what was approved. */
async function judge(options: Options, { source, target, release, approved }: Opened): Promise<Judged> {
  const { from, to, dir, adminToken = process.env.FROM_ADMIN_TOKEN } = options;
  const { hostname } = source.settings;
  const url = options.url ?? (hostname === undefined ? undefined : new URL(`https://${hostname}/`));
  const found = await gather(source, release, {
    url,
    adminToken: adminToken || undefined,
    say: (line) => console.log(line),
  });
  // Who approves a plan may do so while the soak time runs, and without a token: both are asked before anything goes out.
  const isTokenLater = options.savePlan !== undefined;
  const soakMinutes = isTokenLater ? 0 : target.settings.soakMinutes;
  const { reasons, overridden } = decide(release, found, options.override, {
    soakMinutes,
    now: Date.now(),
    isTokenLater,
  });
  const settings = { ...target.settings, rollout: 100, rolloutTrial: false };
  const preview = await previewStack({ ...target, settings }, release, { dir });
  // The soak time is asked above, where it may be overridden.
  const errors = preview.errors.filter(({ code }) => code !== "soak_not_over");
  const all = [...new Set([...reasons, ...errors.map(describe)])];
  if (all.length > 0) {
    throw new UserError([`${shortDigest(release.digest)} may not go from ${from} to ${to}:`, ...all].join("\n"));
  }
  console.log(report({ ...preview, errors }));
  for (const finding of preview.warnings) console.log(describe(finding));
  const plan = planToApprove(from, preview);
  // An approved plan was rehearsed when it was saved, with the same release, settings and live version.
  if (approved) refuseOther(approved, plan);
  else await rehearse(preview, options);
  const untried = untriedReason(found);
  const soak = soakReason({ ...found, soakMinutes: target.settings.soakMinutes, now: Date.now() });
  const waits = [...(untried ? [`smoke: ${untried}`] : []), ...(soak ? [`soak: ${soak}`] : [])];
  return { source, target, release, approved, plan, overridden, waits };
}

/** Writes the plan for whoever is to approve it. */
function save(file: string, { plan, release, waits }: Judged): void {
  writeNamed(file, planFile(plan));
  for (const line of waits) console.log(line);
  console.log(`Plan ${shortDigest(hashOf(plan))} of ${shortDigest(release.digest)} is in ${file}.`);
}

/** Rolls it out, and ends with the exit code of that. */
async function goOut(options: Options, { target, release, plan, approved, overridden }: Judged): Promise<void> {
  const { from, to, dir, yes = false } = options;
  await confirm(`Deploy it to ${to}`, yes);
  stopBetweenUpdates(to, dir);
  const record = overridden.length === 0 ? undefined : overrideRecord(release, overridden);
  changeSetting(settingsFile(to, dir), "promotionOverride", record);
  const end = await rollOut({
    stack: to,
    dir,
    url: addressIn(target, options),
    adminToken: exportedToken(to),
    names: OF_TARGET,
    again: false,
    // Another one may have been built since it was judged.
    tag: plan.release.tag,
    ...(approved && { approve: (now: Preview) => refuseOther(approved, planToApprove(from, now)) }),
    confirm: (what) => confirm(what, yes),
    say: (line) => console.log(line),
  });
  process.exitCode = EXIT[end];
}

/** @throws UserError where what would be done now is not what was approved. */
function refuseOther(approved: ApprovedPlan, now: ApprovedPlan): void {
  const found = differences(approved, now);
  if (found.length === 0) return;
  throw new UserError(
    [
      `Plan ${shortDigest(hashOf(approved))} was approved, and now it would be another one:`,
      ...found.map((line) => `  ${line}`),
      "Nothing more was changed. Save a new plan with --save-plan (in CI: run the workflow again), and have it approved.",
    ].join("\n"),
  );
}

/**
 * Rehearses a change of classes or tables over the stable version of the target, with its settings.
 * @throws UserError where it fails.
 */
async function rehearse(preview: Preview, { to: stack, dir }: Options): Promise<void> {
  const { live, release } = preview;
  const serving = live.versions.find(({ versionId }) => versionId === live.servedLast.at(-1)?.versionId);
  if (!serving || !changesData(preview, serving)) return;
  const commit = commitIn({ commit: serving.commit ?? null });
  if (commit === null) {
    throw new UserError(
      `The release changes classes or tables, and the version that ${stack} serves does not say which commit it is of, so nothing can be rehearsed. Rehearse by hand, from the commit or the tag that it is of (npm run rehearse -- --help), and roll it out step by step: ${goOnLine(stack, dir)}`,
    );
  }
  const args = ["--from", commit, "--to", release.dir, "--stack", stack];
  const code = await saying(
    () => `\nInterrupted in the rehearsal: ${stack} was left as it is.`,
    inForeground(process.execPath, [join(ROOT, "infra/commands/rehearse.ts"), ...args], {
      cwd: ROOT,
      stdio: "inherit",
    }),
  );
  if (code !== 0) throw new UserError(`The rehearsal failed: ${stack} was left as it is.`);
}

function override(text: string, before: Overrides): Overrides {
  const [rule, why] = [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1).trim()];
  if (!isRule(rule) || !/^[\x20-\x7e]{3,200}$/.test(why)) {
    throw new InvalidArgumentError(`It is ${RULES.join(" or ")}, then = and why, in 3 to 200 plain characters.`);
  }
  if (before.has(rule)) throw new InvalidArgumentError(`${rule} is overridden twice: say why once.`);
  return new Map([...before, [rule, why]]);
}

const isRule = (text: string): text is Rule => RULES.some((rule) => rule === text);

await runCommand(command);
