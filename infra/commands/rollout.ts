/**
 * `npm run rollout -- status|set|abandon --stack S`: how much of a stack's traffic its release gets.
 *
 * It sets `rollout` in the stack's settings and updates the stack, so that no later update undoes it.
 */
import { Command, InvalidArgumentError } from "commander";
import { update } from "../apply/update.ts";
import { type LiveWorker, readWorker } from "../plan/live.ts";
import { shortDigest } from "../release/manifest.ts";
import type { PublicSettings } from "../stack/config.ts";
import { openStack } from "../stack/open.ts";
import { changeSetting, settingsFile } from "../stack/settings-file.ts";
import { confirm, onStack, Refused, runCommand, type StackCommandOptions } from "./command.ts";

const ROLLOUT = "rollout";

interface Options extends StackCommandOptions {
  readonly yes?: boolean;
}

const command = new Command("npm run rollout --").description(
  "How much of a stack's traffic its release gets; the rest stays with the version before.",
);
onStack(command.command("status"))
  .description("show which versions share the traffic, and what the settings say")
  .action(async (options: Options) => console.log(await status(options)));
onStack(command.command("set"))
  .argument("<percent>", "per cent of the traffic for the release; 100 finishes", percent)
  .option("--yes", "do not ask")
  .description("change the release's share, and nothing else")
  .action((share: number, options: Options) => change(share, options));
onStack(command.command("abandon"))
  .option("--yes", "do not ask")
  .description("send all traffic back to the version that was stable")
  .action((options: Options) => change(0, options));

function percent(text: string): number {
  if (!/^(100|[1-9]?\d)$/.test(text)) throw new InvalidArgumentError("It is a whole number from 0 to 100.");
  return Number(text);
}

async function change(share: number, { dir, yes = false, ...options }: Options): Promise<void> {
  const { name, settings, reads } = openStack(options.stack, { dir });
  if (settings.pin > 0) {
    throw new Refused(
      `${name} is pinned to version ${settings.pin}: a rollout has no effect. Release it first: npm run rollback -- --stack ${name} --unpin`,
    );
  }
  const live = await readWorker(reads, settings.workerName);
  const before = statusLine(settings, live);
  if (live.serving.length < 2) {
    throw new Refused(
      `No rollout is under way: ${before}\nBegin one with \`rollout: 10\` in the settings and a new release; go back from a finished one with: npm run rollback -- --stack ${name}`,
    );
  }
  await confirm(`${before}\nGive the release ${share} % of it`, yes);
  const file = settingsFile(name, dir);
  changeSetting(file, ROLLOUT, share);
  if (!(await update(name, dir))) {
    throw new Refused(
      `The update failed. ${ROLLOUT} is ${share} in ${file}: run the same command again to complete it.`,
    );
  }
  console.log(await status({ stack: name, dir }));
}

async function status({ stack, dir }: StackCommandOptions): Promise<string> {
  const { settings, reads } = openStack(stack, { dir });
  return statusLine(settings, await readWorker(reads, settings.workerName));
}

/** `my-worker: version 2 (1f3a…) 10 %, version 1 (9b0c…) 90 %; the settings say 10 % for the release`. */
function statusLine(settings: PublicSettings, { serving }: LiveWorker): string {
  const shares = serving.map(
    ({ number, digest, percentage }) =>
      `version ${number} (${digest === undefined ? "not ours" : shortDigest(digest)}) ${percentage} %`,
  );
  const setting =
    settings.pin > 0 ? `pinned to version ${settings.pin}` : `the settings say ${settings.rollout} % for the release`;
  return `${settings.workerName}: ${shares.join(", ") || "nothing is deployed"}; ${setting}`;
}

await runCommand(command);
