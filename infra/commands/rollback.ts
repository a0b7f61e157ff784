/**
 * `npm run rollback -- --stack S`: sends a stack's traffic back to an earlier version, and keeps it there.
 *
 * It sets `pin` in the stack's settings and updates the stack, so that no later update undoes it.
 */
import { describe } from "@durable-stack/class-lifecycle";
import { Command, InvalidArgumentError, Option } from "commander";
import { table } from "../common/table.ts";
import { UserError } from "../common/user-error.ts";
import { isOurs } from "../plan/live/ours.ts";
import { regionTableOf } from "../plan/live/version.ts";
import { type LiveWorker, readWorker } from "../plan/live/worker.ts";
import { allRefused } from "../plan/rules/refused-release.ts";
import { isSameRegions } from "../plan/rules/regions.ts";
import { previewStack, previewUnguarded } from "../plan/stack-preview.ts";
import { isTooOld, whyNot } from "../plan/traffic/pin.ts";
import { previousVersion } from "../plan/traffic/previous.ts";
import { servesAsWanted } from "../plan/traffic/split.ts";
import { trafficAfter, trafficBefore } from "../plan/traffic/words.ts";
import { shortDigest } from "../release/manifest.ts";
import { readRelease } from "../release/read.ts";
import { byHand } from "../rollout/by-hand.ts";
import { otherSecrets } from "../rollout/other-secrets.ts";
import { servesAlone, setPin, takePinOut } from "../rollout/pinning.ts";
import { unpinnedLines, unpinQuestion } from "../rollout/unpinned.ts";
import { isIrreversible, nameOf, refuseErrors, wholeLines } from "../rollout/whole.ts";
import { releaseDir } from "../stack/config.ts";
import { type OpenStack, openStack } from "../stack/open.ts";
import { mustFindToken } from "../stack/token-at-hand.ts";
import { unpinLine } from "../stack/traffic-lines.ts";
import { age, confirm, onStack, runCommand, type StackCommandOptions, tellPassedOver } from "./command.ts";

interface Options extends StackCommandOptions {
  readonly to?: number;
  readonly list?: true;
  readonly unpin?: true;
  readonly yes?: boolean;
}

const command = onStack(new Command("npm run rollback --"))
  .description(
    "Send all traffic of a stack to an earlier version and keep it there, through Pulumi: the stack is pinned to it until --unpin.",
  )
  .option(
    "--to <number>",
    "number of the version; when not given, the one that had all traffic before and is of no refused release",
    versionNumber,
  )
  .addOption(new Option("--list", "list the versions and change nothing").conflicts(["to", "unpin"]))
  .addOption(
    new Option("--unpin", "end the pin: the stack's release gets the traffic that the settings give it").conflicts(
      "to",
    ),
  )
  .option("--yes", "do not ask")
  .action(rollback);

function versionNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new InvalidArgumentError("It is the number of a version, as --list shows it.");
  return Number(text);
}

async function rollback(options: Options): Promise<void> {
  const stack = openStack(options.stack, { dir: options.dir, way: options.unpin ? undefined : "pin" });
  tellPassedOver(stack.settings);
  const { workerName } = stack.settings;
  const live = await readWorker(stack.reads, workerName);
  if (options.list) {
    console.log(listing(stack, live));
    return;
  }
  if (options.unpin) return unpin(stack, live, options);
  const to = await choose(stack, live, options.to);
  const isThere = pinnedAlready(stack, live, { to, isAsked: options.to !== undefined });
  if (isThere !== undefined) {
    console.log(isThere);
    return;
  }
  await check(stack, to);
  await carryOut(stack, live, { ...options, to });
}

/** The version to go back to; `asked`: by --to. @throws UserError where there is none, or it cannot serve again. */
async function choose(stack: OpenStack, live: LiveWorker, asked: number | undefined): Promise<number> {
  const { name, settings } = stack;
  const { workerName } = settings;
  if (live.serving.length === 0)
    throw new UserError(`${workerName} has never been deployed: there is nothing to go back to.`);
  // A pin is the way back already: the version that had all traffic before it is the one that was left.
  const to = asked ?? (pinOf(stack, live) || (await numberBefore(stack, live)));
  if (to === undefined) {
    throw new UserError(
      `${workerName} has no earlier version that can serve again and is not of a refused release; --to takes one of those, too.\n\n${listing(stack, live)}`,
    );
  }
  const obstacle = whyNot({ ...live, stack: name, pin: to });
  if (obstacle) throw new UserError(`${describe(obstacle)}\n\n${listing(stack, live)}`);
  return to;
}

/** The version that had all traffic before, and is of no refused release. */
async function numberBefore({ settings, reads }: OpenStack, live: LiveWorker): Promise<number | undefined> {
  const deployments = await reads.deployments(settings.workerName);
  return previousVersion(live, deployments, allRefused(settings, live.refused))?.number;
}

/** What to say of a stack that is pinned to the version and sends it all traffic; undefined: it is not, or not here. */
function pinnedAlready(
  stack: OpenStack,
  live: LiveWorker,
  { to, isAsked }: { readonly to: number; readonly isAsked: boolean },
): string | undefined {
  const isHere = stack.settings.pin === to;
  if (pinOf(stack, live) !== to || (isAsked && !isHere) || !servesAlone(to, live)) return undefined;
  const here = isHere ? "" : ` The account says so; these settings have no pin, and --to ${to} puts it there.`;
  return `${stack.name} is already pinned to version ${to}, which has all traffic.${here} Another one: --to with its number; to end the pin: --unpin`;
}

/** @throws UserError where the update would be refused: better to know before anything has been changed. */
async function check(stack: OpenStack, to: number): Promise<void> {
  // The program wants a release, whether it sends it or not.
  const { settings } = stack;
  const release = readRelease(releaseDir(settings));
  const { errors } = await previewUnguarded({ ...stack, settings: { ...settings, pin: to } }, release);
  if (errors.length === 0) return;
  throw new UserError(
    `Version ${to} may not get the traffic. Nothing was changed.\n${errors.map((error) => `  ${describe(error)}`).join("\n")}`,
  );
}

/** Asks, pins the stack to the version, and says how it ended. */
async function carryOut(
  stack: OpenStack,
  live: LiveWorker,
  { to, dir, yes = false }: Options & { readonly to: number },
): Promise<void> {
  const { name, settings } = stack;
  const secrets = otherSecrets(live, to);
  if (secrets !== undefined) console.log(secrets);
  await confirm(`Send all traffic of ${settings.workerName} (${name}) to version ${to}`, yes);
  const setting = await setPin(byHand(stack, dir), to);
  console.log(`Version ${to} has all traffic. ${name} stays pinned to it (${setting}) until: ${unpinLine(name, dir)}`);
}

/** The version that the stack is pinned to, as its settings say, or else the account; 0: none. */
const pinOf = ({ settings }: OpenStack, live: LiveWorker): number => settings.pin || (live.pinned ?? 0);

/** Also of a stack without a pin: where the update that was to end it has not done so, that is carried out. */
async function unpin(stack: OpenStack, live: LiveWorker, { dir, yes = false }: Options): Promise<void> {
  const { name, settings } = stack;
  const { serving } = live;
  const pin = pinOf(stack, live);
  const isPinned = pin > 0;
  const free = `${name} is not pinned.`;
  if (!isPinned && serving.length === 0) {
    console.log(free);
    return;
  }
  const release = readRelease(releaseDir(settings));
  const next = await previewStack({ ...stack, settings: { ...settings, pin: 0 } }, release, { dir });
  if (!isPinned && servesAsWanted(next.live.serving, next.tag, next.traffic)) {
    console.log(free);
    return;
  }
  refuseErrors(next);
  if (next.uploads) mustFindToken(name);
  const version = next.live.versions.find(({ tag }) => tag === next.tag);
  // A Worker that is gone, as after a destruction, has none.
  const deployments = serving.length === 0 ? [] : await stack.reads.deployments(settings.workerName);
  const hadTraffic = deployments.some(({ versions }) =>
    versions.some(({ versionId }) => versionId === version?.versionId),
  );
  const traffic = trafficAfter(next).join(", ");
  const lines = isPinned
    ? [
        `Without the pin: ${traffic}.`,
        ...unpinnedLines({
          next,
          hadTraffic: hadTraffic ? version?.number : undefined,
          dir,
        }),
      ]
    : [`${free} It serves ${trafficBefore(next).join(", ")}, and its settings say: ${traffic}.`];
  for (const line of [...lines, ...wholeLines(next)]) console.log(line);
  const whole = isIrreversible(next) ? `, and send all traffic to ${nameOf(next)}` : "";
  await confirm(isPinned ? unpinQuestion(next, pin) : `Update ${name}${whole}`, yes);
  // After a destruction that was interrupted the state may have what is gone.
  const refresh = next.warnings.some(({ code }) => code === "bound_resource_missing");
  await takePinOut(byHand(stack, dir), { ...next, refresh });
  const outcome =
    hadTraffic && next.traffic.release > 0 ? "its release has its traffic again" : `now it serves ${traffic}`;
  console.log(`${name} is not pinned any more; ${outcome}.`);
}

/** A line a version: number, release, step, age, traffic, and what stands against it. */
function listing(stack: OpenStack, live: LiveWorker): string {
  if (live.versions.length === 0) return "There are no versions.";
  const { settings } = stack;
  const refused = allRefused(settings, live.refused);
  const now = Date.now();
  const rows = live.versions.map((version) => {
    const share = live.serving.find(({ versionId }) => versionId === version.versionId)?.percentage;
    const regions = regionTableOf(version);
    const notes = [
      ...(version.number === pinOf(stack, live) ? ["pinned"] : []),
      ...(!isOurs(version) ? [`not ours (${version.source ?? "unknown"})`] : []),
      ...(version.digest !== undefined && refused.includes(shortDigest(version.digest)) ? ["refused"] : []),
      ...(regions && !live.regions.every((table) => isSameRegions(table, regions)) ? ["another region table"] : []),
      ...(version.number === live.rollbackFloor ? ["rollback floor"] : []),
      ...(live.rollbackFloor !== undefined && version.number < live.rollbackFloor ? ["below the rollback floor"] : []),
      ...(isTooOld(version, live) ? ["too old"] : []),
    ];
    return [
      String(version.number),
      version.digest === undefined ? "-" : shortDigest(version.digest),
      version.step ?? "-",
      age(version.createdOn, now),
      share === undefined ? "" : `${share} %`,
      notes.join(", "),
    ];
  });
  return table([["version", "release", "step", "age", "traffic", ""], ...rows]);
}

await runCommand(command);
