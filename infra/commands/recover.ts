/**
 * `npm run recover -- --stack S`: for a state that was lost. It says what the account has of the stack, and what of it
 * the next update takes over, and then updates the stack. What is not provably this stack's it does not touch.
 */
import { describe } from "@durable-stack/class-lifecycle";
import { Command } from "commander";
import { update } from "../apply/update.ts";
import { table } from "../common/table.ts";
import { UserError } from "../common/user-error.ts";
import { ADOPTED } from "../plan/claims/claim.ts";
import type { Preview } from "../plan/preview/preview.ts";
import { report } from "../plan/report.ts";
import { previewUnguarded } from "../plan/stack-preview.ts";
import { Known } from "../plan/state/known.ts";
import { trafficBefore } from "../plan/traffic/words.ts";
import { shortDigest } from "../release/manifest.ts";
import { readRelease } from "../release/read.ts";
import { pinnedElsewhereText } from "../rollout/pinned.ts";
import { isShareDecided } from "../rollout/share-setting.ts";
import { underWayText } from "../rollout/under-way.ts";
import { releaseDir } from "../stack/config.ts";
import { LOGICAL } from "../stack/declared.ts";
import { engineResources, knownOf } from "../stack/engine-file.ts";
import { type OpenStack, openStack } from "../stack/open.ts";
import { LOCAL } from "../stack/project.ts";
import { appliesHere } from "../stack/settings-file.ts";
import { confirm, onStack, runCommand, type StackCommandOptions } from "./command.ts";

interface Options extends StackCommandOptions {
  readonly yes?: boolean;
}

const command = onStack(new Command("npm run recover --"))
  .description(
    "Rebuild the lost state of a stack from its account: says what is there and what is taken over, then runs `up`. Data stays as it is.",
  )
  .option("--yes", "do not ask")
  .action(recover);

async function recover({ stack: name, dir, yes = false }: Options): Promise<void> {
  const stack = openStack(name, { dir });
  const here = name === LOCAL && appliesHere(dir);
  if (name === LOCAL && !here) {
    throw new UserError(
      `What is in ${dir} was deployed by the Pulumi CLI. Its next update takes over what its state does not have: npm run preview -- --stack ${LOCAL} shows it.`,
    );
  }
  const known = stateOf(stack, here);
  const release = readRelease(releaseDir(stack.settings));
  const preview = await previewUnguarded({ ...stack, known }, release);
  console.log(`${inAccount(preview)}\n\n${report(preview)}`);
  for (const finding of preview.warnings) console.log(describe(finding));
  refuseUnlessLost(name, preview);
  // As `npm run up`; `npm start` ends a pin, and says so.
  if (!here) mustKeepTraffic(preview, dir);

  await confirm(`Take this over into the state of ${name}, and update the stack`, yes);
  const updated = await update(name, dir, { here });
  if (!updated || !stateOf(openStack(name, { dir }), here).get("Worker", LOGICAL.worker)) {
    throw new UserError(
      "The update failed. What it took over stays as it is: correct what is above, then run the same command again.",
    );
  }
  console.log(`The state of ${name} has its resources again; the data in them is as it was.`);
}

/** What the state of the stack has now. */
const stateOf = ({ name, known }: OpenStack, here: boolean): Known =>
  here ? (known ?? Known.of([])) : knownOf(engineResources(name));

/** @throws UserError where there is nothing to recover, or it is not provably this stack's. */
function refuseUnlessLost(name: string, { errors, ownWorker, claims }: Preview): void {
  if (errors.length > 0) throw new UserError(`Nothing was sent.\n${errors.map(describe).join("\n")}`);
  if (claims.found.length === 0) {
    throw new UserError(
      ownWorker.inState
        ? `The state of ${name} is not lost: it has all that the account has of this stack. Nothing was sent.`
        : `The account has nothing of ${name}: there is nothing to recover, and \`up\` makes all of it. Nothing was sent.`,
    );
  }
  const unproven = claims.found.filter(({ because }) => because === ADOPTED).map(({ what }) => what);
  if (unproven.length > 0) {
    throw new UserError(
      `Only \`adopt: true\` says that these are this stack's: ${unproven.join(", ")}. Nothing was sent. To take over what something else made: docs/adopt.md.`,
    );
  }
}

/** @throws UserError where the update would end a pin, or a rollout before it was judged, that another checkout has begun. */
function mustKeepTraffic({ settings: { stack, pin }, release, live }: Preview, dir: string): void {
  if (pin !== 0) return;
  const isDecided = isShareDecided(stack, dir);
  const text =
    pinnedElsewhereText(stack, dir, live) ??
    underWayText({ stack, dir, digest: () => release.digest, isDecided }, live);
  if (text !== undefined) throw new UserError(text);
}

/** What the account has of the stack, a line each. */
function inAccount({ settings, ownWorker, live, claims }: Preview): string {
  const { worker } = ownWorker;
  const [newest] = live.versions;
  const rows = [
    ["Worker", worker ? `${worker.name} (${worker.id})` : "none"],
    ...(newest
      ? [["version", `${newest.number}, ${newest.digest === undefined ? "not ours" : shortDigest(newest.digest)}`]]
      : []),
    ...(live.deployment ? [["deployment", trafficBefore({ live }).join(", ")]] : []),
    ...claims.found.flatMap(({ what }) => (what.startsWith("Worker ") ? [] : [["", what]])),
  ];
  return `In the account ${settings.accountId}:\n${table(rows.map(([what = "", is = ""]) => [`  ${what}`, is]))}`;
}

await runCommand(command);
