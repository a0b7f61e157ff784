/**
 * `npm run up -- --stack S` and `npm run preview -- --stack S`: the Pulumi CLI, with every further option passed on.
 *
 * The stack `local` is the account that runs on `--dir` (`.local`), with a backend of its own there, so that neither a
 * Pulumi login nor the committed file is touched: see ../apply/cli-local.ts.
 */
import { DEFAULT_DIR } from "../apply/hints.ts";
import { onCli } from "../apply/on-cli.ts";
import { runPulumi } from "../apply/pulumi-cli.ts";
import { bareName, pulumiLine } from "../apply/pulumi-line.ts";
import { interruptedText } from "../apply/update.ts";
import { noStackLine } from "../apply/update-line.ts";
import { saying } from "../common/interrupted.ts";
import { isUserError, UserError } from "../common/user-error.ts";
import { ApiError } from "../provider/api.ts";
import { findRelease } from "../release/find.ts";
import { ROOT } from "../release/root.ts";
import { refusePinned } from "../rollout/pinned.ts";
import { isShareDecided } from "../rollout/share-setting.ts";
import { underWayText } from "../rollout/under-way.ts";
import { type OpenStack, openStack } from "../stack/open.ts";
import { LOCAL, wantLocal } from "../stack/project.ts";
import { orFail } from "./command.ts";
import { leftByNpm, takenText } from "./taken-by-npm.ts";

/** Options of the CLI, and `--dir`, without which it would do something else. None of them is a setting of npm's. */
const MISSED = `
  --stack --dir --cwd --config --config-file --config-path --override-env --secrets-provider
  --target --target-dependents --target-replace --exclude --exclude-dependents --replace
  --refresh --run-program --ignore-protect --continue-on-error --parallel --skip-preview
  --expect-no-changes --strict --policy-pack --policy-pack-config
  --plan --save-plan --import-file -t -x -r
`
  .trim()
  .split(/\s+/);

const [command = "", ...options] = process.argv.slice(2);

await orFail(async () => {
  const { stack, dir, rest } = pulumiLine(options);
  if (dir.trim() === "") throw new UserError("--dir must name a folder.");
  if (rest.includes("--help") || rest.includes("-h")) {
    console.log(
      `npm run ${command} -- --stack <name> [--dir <folder>]: the Pulumi CLI on a stack, with all its options, which follow.\n--dir is where the local account keeps its state, for the stack ${LOCAL} (${DEFAULT_DIR}).\n`,
    );
    process.exitCode = await runPulumi([command, "--help"], ROOT);
    return;
  }
  const taken = MISSED.filter(leftByNpm);
  if (taken.length > 0) throw new UserError(takenText(taken, `npm run ${command}`));
  if (!stack) {
    throw new UserError(`Which stack? npm run ${command} -- --stack ${LOCAL} (or staging, production…)`);
  }
  if (bareName(stack) === LOCAL) wantLocal();
  if (command === "up") await keepTraffic(bareName(stack), dir);
  const code = await saying(
    (isDone) => (command === "up" ? interruptedText(stack, dir, isDone) : "\nInterrupted. A preview changes nothing."),
    onCli([command, ...rest], stack, dir),
  );
  const noStack = noStackLine(bareName(stack), code);
  if (noStack !== undefined) console.error(noStack);
  process.exitCode = code;
});

/**
 * Keeps an update from ending a pin that another checkout has set, and from ending a rollout before it was judged: a job in
 * CI asks nobody. What cannot be read here stops nothing, and is told: the CLI may know more, such as the token and
 * encrypted settings, and its plan warns, too.
 */
async function keepTraffic(stack: string, dir: string): Promise<void> {
  const open = opened(stack, dir);
  if (open?.settings.pin !== 0) return;
  try {
    const atHand = { stack, dir, digest: () => digestAtHand(open), isDecided: isShareDecided(stack, dir) };
    const underWay = underWayText(atHand, await refusePinned(open, dir));
    if (underWay !== undefined) throw new UserError(underWay);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    tellUnread(stack, error.message);
  }
}

/** The stack; undefined where it cannot be opened without the CLI, which is told. */
function opened(stack: string, dir: string): OpenStack | undefined {
  try {
    return openStack(stack, { dir });
  } catch (error) {
    if (!isUserError(error)) throw error;
    tellUnread(stack, error.message);
    return undefined;
  }
}

/** The digest of the release; undefined where there is none, which the program says. */
function digestAtHand({ settings }: OpenStack): string | undefined {
  const release = findRelease(settings);
  return release instanceof Error ? undefined : release.digest;
}

function tellUnread(stack: string, because: string): void {
  console.error(
    `The account was not asked whether another checkout has pinned ${stack}, or a rollout is under way. ${because}`,
  );
}
