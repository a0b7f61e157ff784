/**
 * `npm run promote -- --from staging --to production`: takes the release that one stack serves to another, when all
 * that a promotion asks for holds, and rolls it out there step by step.
 */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { decide, OVERRIDABLE, type Overridable, type Reason } from "../promote/decide.ts";
import { gather } from "../promote/gather.ts";
import { filesOf } from "../release/files.ts";
import { shortDigest } from "../release/manifest.ts";
import { ROOT } from "../release/root.ts";
import { unpacked } from "../release/tarball.ts";
import { writeRelease } from "../release/write.ts";
import { rollOut } from "../rollout/run.ts";
import { releaseDir } from "../stack/config.ts";
import { openStack } from "../stack/open.ts";
import { changeSetting, settingsFile } from "../stack/settings-file.ts";
import { confirm, httpUrl, Refused, runCommand } from "./command.ts";
import { addressOf, EXIT } from "./rollout-end.ts";

interface Options {
  readonly from: string;
  readonly to: string;
  readonly dir: string;
  readonly release?: string;
  readonly fromUrl?: URL;
  readonly url?: URL;
  readonly override: Readonly<Partial<Record<Overridable, string>>>;
  readonly check: boolean;
  readonly yes?: boolean;
}

const command = new Command("npm run promote --")
  .description(
    "Takes the release that one stack serves to all its callers to another stack: smoke-tested there, its soak time over, planned and, where classes or tables change, rehearsed. Then it is rolled out as `npm run rollout -- run` does, with the same exit codes.",
  )
  .requiredOption("--from <stack>", "the stack that serves it")
  .requiredOption("--to <stack>", "the stack that gets it")
  .option("--release <file>", "the release as a .tar.gz, put into the stack's release folder first")
  .option("--from-url <url>", "where the Worker of --from answers (default: its host name)", httpUrl)
  .option("--url <url>", "where the Worker of --to answers (default: its host name)", httpUrl)
  .option(
    "--override <check=reason>",
    `go on although one of ${OVERRIDABLE.join(", ")} fails; the reason is recorded`,
    override,
    {},
  )
  .option("--check", "only say whether it may be promoted", false)
  .option("--yes", "do not ask before a release that cannot go back")
  .option("--dir <folder>", "where the local account keeps its state", ".local")
  .addHelpText(
    "after",
    "\nThe account of --to is opened by CLOUDFLARE_API_TOKEN, that of --from by FROM_CLOUDFLARE_API_TOKEN (and FROM_CLOUDFLARE_ACCOUNT_ID) where it is another. ADMIN_TOKEN and FROM_ADMIN_TOKEN let the smoke tests try everything.",
  )
  .showHelpAfterError()
  .action(promote);

function override(text: string, before: Options["override"]): Options["override"] {
  const [, check, reason] = /^(\w+)=(.{3,60})$/.exec(text) ?? [];
  const name = OVERRIDABLE.find((one) => one === check);
  if (name === undefined || reason === undefined) {
    throw new InvalidArgumentError(
      `It is a check and a reason of 3 to 60 characters, such as soak="hotfix 123". Checks: ${OVERRIDABLE.join(", ")}.`,
    );
  }
  return { ...before, [name]: reason };
}

async function promote({
  from,
  to,
  dir,
  release: file,
  fromUrl,
  url,
  override: overrides,
  check,
  yes = false,
}: Options): Promise<void> {
  if (from === to) throw new Refused("--from and --to are the same stack.");
  if (file !== undefined) place(file, to, dir);
  const { FROM_CLOUDFLARE_API_TOKEN, FROM_CLOUDFLARE_ACCOUNT_ID, FROM_ADMIN_TOKEN, ADMIN_TOKEN } = process.env;
  const fromEnv = {
    ...(FROM_CLOUDFLARE_API_TOKEN && { CLOUDFLARE_API_TOKEN: FROM_CLOUDFLARE_API_TOKEN }),
    ...(FROM_CLOUDFLARE_ACCOUNT_ID && { CLOUDFLARE_ACCOUNT_ID: FROM_CLOUDFLARE_ACCOUNT_ID }),
    ADMIN_TOKEN: FROM_ADMIN_TOKEN,
  };
  const source = openStack(from, { dir, env: { ...process.env, ...fromEnv } });
  const { facts, release } = await gather({
    from,
    to,
    dir,
    fromEnv,
    fromUrl: fromUrl ?? addressOf(source.settings, dir),
    overrides,
    say: (line) => console.error(`… ${line}`),
  });
  const { against, overridden } = decide(facts);
  const name = `Release ${shortDigest(release.digest)}`;
  if (against.length > 0)
    throw new Refused(`${name} is not promoted from ${from} to ${to}:\n${against.map(asLine).join("\n")}`);
  console.log(`${name} may go from ${from} to ${to}.`);
  for (const one of overridden) console.log(`  overridden, ${one}`);
  if (check) return;

  const { settings } = openStack(to, { dir });
  const address = url ?? addressOf(settings, dir);
  // The version's annotation says it (infra/durable-worker.ts).
  const note = overridden.length > 0 ? `${shortDigest(release.digest)} ${overridden.join("; ")}` : undefined;
  if (note !== undefined) changeSetting(settingsFile(to, dir), "promotionNote", note);
  const end = await rollOut({
    stack: to,
    dir,
    url: address,
    adminToken: ADMIN_TOKEN || undefined,
    again: false,
    confirm: (what) => confirm(what, yes),
    say: (line) => console.log(line),
  });
  process.exitCode = EXIT[end];
}

/** Puts a packed release into the folder that the stack deploys from. @throws where it is not whole. */
function place(file: string, stack: string, dir: string): void {
  const path = resolve(ROOT, file);
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) throw new Refused(`There is no file ${file}.`);
  writeRelease(releaseDir(openStack(stack, { dir }).settings), filesOf(file, unpacked(path)).files);
}

const asLine = ({ what, fix, override: by }: Reason): string =>
  `  - ${what} Fix: ${fix}${by === undefined ? "" : ` Or, with a reason: --override ${by}="…".`}`;

await runCommand(command);
