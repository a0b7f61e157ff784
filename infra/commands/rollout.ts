/**
 * `npm run rollout -- run|status|set|abandon --stack S`: how much of a stack's traffic its release gets.
 *
 * It sets `rollout` in the stack's settings and updates the stack, so that no later update undoes it.
 */
import { Command, InvalidArgumentError } from "commander";
import { isUserError, UserError } from "../common/user-error.ts";
import { readWorker } from "../plan/live/worker.ts";
import { previewStack } from "../plan/stack-preview.ts";
import { versionName } from "../plan/traffic/words.ts";
import { readRelease } from "../release/read.ts";
import { otherAtHand } from "../rollout/at-hand.ts";
import { abandon, byHand, giveShare } from "../rollout/by-hand.ts";
import { numbersInWords } from "../rollout/compare/analysis.ts";
import { loggedNow, numbersOf, windowOf } from "../rollout/compare/numbers.ts";
import { otherSecrets } from "../rollout/other-secrets.ts";
import { refusePinned } from "../rollout/pinned.ts";
import { rollOut } from "../rollout/run.ts";
import { refusedLine, statusLine, stepLine } from "../rollout/status-lines.ts";
import { type PublicSettings, releaseDir } from "../stack/config.ts";
import { type OpenStack, openStack } from "../stack/open.ts";
import type { SettingKey } from "../stack/schema.ts";
import { takeOut } from "../stack/settings-file.ts";
import { exportedToken, mustFindToken } from "../stack/token-at-hand.ts";
import { backLine } from "../stack/traffic-lines.ts";
import { age, confirm, onStack, runCommand, type StackCommandOptions, tellPassedOver } from "./command.ts";
import { workerUrl } from "./options.ts";
import { addressOf, EXIT, OWN, stopBetweenUpdates } from "./rollout-end.ts";

interface Options extends StackCommandOptions {
  readonly yes?: boolean;
}

interface RunOptions extends Options {
  readonly url?: URL;
  readonly adminToken?: string;
  readonly again: boolean;
}

const command = new Command("npm run rollout --").description(
  "How much of a stack's traffic its release gets; the rest stays with the version before.",
);
// Who puts an option before `status` is shown where it goes.
command.showHelpAfterError();
onStack(command.command("run"))
  .option(
    "--url <url>",
    "where the Worker answers, for the smoke test (default: the stack's host name, or the local account)",
    workerUrl,
  )
  .option("--admin-token <token>", "for the smoke test (default: $ADMIN_TOKEN, and the local account's for `local`)")
  .option("--again", "try a release once more that this stack has refused", false)
  .option("--yes", "do not ask before a release that cannot go back")
  .description(
    "go through the stack's rolloutSteps, and back where the new version is worse. Exit code 0: done, 1: an error, 3: went back, 4: too little is known, 5: bad, and no version to go back to.",
  )
  .action(run);
onStack(command.command("status"))
  .description("show which versions share the traffic, and what the settings say")
  .action(status);
onStack(command.command("set"))
  .argument("<percent>", "per cent of the traffic for the release; 100 finishes", percent)
  .option("--yes", "do not ask")
  .description("change the release's share, and nothing else")
  .action((share: number, options: Options) => change(share, options));
onStack(command.command("abandon"))
  .option("--yes", "do not ask")
  .description("send all traffic back to the version that was stable")
  .action((options: Options) => change(0, options));

async function run({
  stack,
  dir,
  url,
  adminToken = exportedToken(stack),
  again,
  yes = false,
}: RunOptions): Promise<void> {
  stopBetweenUpdates(stack, dir);
  const { settings } = openStack(stack, { dir });
  const end = await rollOut({
    stack,
    dir,
    url: url ?? addressOf(settings, dir, OWN),
    adminToken: adminToken || undefined,
    names: OWN,
    again,
    confirm: (what) => confirm(what, yes),
    say: (line) => console.log(line),
  });
  process.exitCode = EXIT[end];
}

function percent(text: string): number {
  if (!/^(100|[1-9]?\d)$/.test(text)) throw new InvalidArgumentError("It is a whole number from 0 to 100.");
  return Number(text);
}

async function change(share: number, { dir, yes = false, ...options }: Options): Promise<void> {
  const stack = openStack(options.stack, { dir, way: share === 0 ? "share" : undefined });
  const { name, settings } = stack;
  const live = await refusePinned(stack, dir);
  const before = statusLine(settings, live);
  const stable = live.servedLast.at(-1);
  if (live.serving.length < 2 || stable === undefined) {
    if (share === 0 && settings.rolloutTrial && settings.rollout === 0) {
      // What a first step has left whose update changed nothing.
      const out = takeOut({ stack: name, dir }, "rolloutTrial" satisfies SettingKey, false);
      console.log(`No rollout is under way: ${before}\n${out}: the next update gives no release any traffic.`);
      return;
    }
    throw new UserError(
      `No rollout is under way: ${before}\nBegin one with \`rollout: 10\` in the settings and a new release; go back from a finished one with: ${backLine(name, dir)}`,
    );
  }
  if (share > 0) {
    mustFindToken(name);
    const tag = await tagRolledOut(stack, dir);
    await confirm(`${before}\nGive the release ${share} % of it`, yes);
    await giveShare(byHand(stack, dir), share, { deployment: live.deployment?.id, tag });
  } else {
    const secrets = otherSecrets(live, stable.number);
    if (secrets !== undefined) console.log(secrets);
    await confirm(`${before}\nSend all of it back to ${versionName(stable)}`, yes);
    await abandon(byHand(stack, dir), stable);
  }
  await status({ stack: name, dir });
}

/** The tag of the version that is rolled out. @throws UserError where another release is at hand: the share would be that one's. */
async function tagRolledOut(stack: OpenStack, dir: string): Promise<string> {
  const release = readRelease(releaseDir(stack.settings));
  const preview = await previewStack(stack, release, { dir });
  const other = otherAtHand(preview, dir);
  if (other !== undefined) throw new UserError(other);
  return preview.tag;
}

/** Says which versions serve before it asks what was counted of them, which may take long, or fail. */
async function status({ stack, dir }: StackCommandOptions): Promise<void> {
  const { settings, reads, api } = openStack(stack, { dir, way: "share" });
  tellPassedOver(settings);
  const live = await readWorker(reads, settings.workerName);
  console.log(statusLine(settings, live));
  const [rolledOut, stable] = live.serving;
  if (rolledOut && stable && settings.pin === 0) {
    const steps = "rolloutSteps" satisfies keyof PublicSettings;
    if (!settings.wrong.some(({ keys }) => keys.includes(steps))) {
      console.log(stepLine(settings.rolloutSteps, rolledOut.percentage, age(live.deployment?.createdOn, Date.now())));
    }
    const window = windowOf(settings, Date.parse(live.deployment?.createdOn ?? "") || 0);
    try {
      await loggedNow(api, window);
      for (const { number, versionId } of [rolledOut, stable]) {
        console.log(`version ${number}: ${numbersInWords(await numbersOf(api, window, versionId))} since then`);
      }
    } catch (error) {
      if (!isUserError(error)) throw error;
      console.log(error.message);
    }
  }
  const refused = refusedLine(settings, live);
  if (refused !== undefined) console.log(refused);
}

await runCommand(command);
