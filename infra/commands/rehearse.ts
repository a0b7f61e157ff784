/** `npm run rehearse -- --from <release>`: the rehearsal from a terminal. Exits with 1 where it fails. */
import { rmSync } from "node:fs";
import { resolve } from "node:path";
import { Command } from "commander";
import { folderWord } from "../apply/hints.ts";
import { END_SIGNALS, exitCodeOf } from "../common/interrupted.ts";
import { temporaryFolder } from "../common/named-file.ts";
import { rehearse } from "../rehearsal/rehearse.ts";
import { asJson, asText } from "../rehearsal/report.ts";
import { commitOf, type Side, Sides, wantStack } from "../rehearsal/side.ts";
import { ownUnless } from "../release/own.ts";
import { OWN_RELEASE, RELEASE_DIR, ROOT } from "../release/root.ts";
import { LOCAL, wantLocal } from "../stack/project.ts";
import { runCommand } from "./command.ts";
import { wholeNumber } from "./options.ts";

interface Options {
  readonly from: string;
  readonly to?: string;
  readonly stack: string;
  readonly objects?: number;
  readonly json: boolean;
  readonly keep: boolean;
}

const command = new Command("npm run rehearse --")
  .description(
    "Deploys an older release to a throw-away local account, fills all patterns with data through the API, deploys a newer release over it, and reads everything back. Fails when anything is lost that the plan did not name.",
  )
  .requiredOption("--from <release>", "the older release: a folder, or a tag, branch or commit, which is built")
  .option("--to <release>", `the newer one, likewise (default: this checkout's, which is built into ${OWN_RELEASE})`)
  .option("--stack <name>", "whose settings both get, without its zone, hostname, routes and promotesFrom", "local")
  .option(
    "--objects <number>",
    "objects of each class that get data (default: 4, or one for each region where there are more)",
    wholeNumber(1, 1_000),
  )
  .option("--json", "print the outcome as JSON, and no progress", false)
  .option("--keep", "keep the account, for `npm run account -- --dir <folder>`", false)
  .showHelpAfterError()
  .action(async (options: Options) => {
    for (const signal of END_SIGNALS) process.on(signal, () => process.exit(exitCodeOf(signal)));
    process.exitCode = await run(options);
  });
await runCommand(command);

async function run({ from, to, stack, objects, json, keep }: Options): Promise<number> {
  const say = json ? () => {} : (line: string) => console.error(`… ${line}`);
  const sides = new Sides();
  // However it ends, in the middle too.
  process.once("exit", () => sides.remove());
  const dir = temporaryFolder("durable-stack-rehearsed-");
  process.once("exit", () => {
    if (!keep) rmSync(dir, { recursive: true, force: true });
  });
  // Before anything is built.
  if (stack === LOCAL) wantLocal();
  wantStack("this checkout", ROOT, stack);
  // The build replaces what is in that folder.
  const before = to === undefined && isOwn(from) ? await sides.findCopy(from) : undefined;
  const name = await ownUnless(to, say);
  const find = (one: string): Promise<Side> => {
    say(`finding ${one}`);
    return sides.find(one);
  };
  const older = before ?? (await find(from));
  const newer = await find(name);
  if (to !== undefined && isOwn(to)) sayWhereOld(newer, say);
  const rehearsal = await rehearse({
    from: older,
    to: newer,
    stack,
    objects,
    dir,
    onProgress: say,
  });
  console.log(json ? asJson(older, newer, stack, rehearsal) : asText(older, newer, stack, rehearsal));
  if (keep) say(`the account is kept: npm run account -- --dir ${folderWord(dir)}`);
  return rehearsal.ok ? 0 : 1;
}

function isOwn(name: string): boolean {
  return resolve(ROOT, name) === RELEASE_DIR;
}

/** Warns where the release was built from another commit than the one that is checked out. */
function sayWhereOld({ release: { commit } }: Side, say: (line: string) => void): void {
  const head = commitOf("HEAD");
  if (commit === null || head === undefined || commit.startsWith(head)) return;
  say(
    `${OWN_RELEASE} is of commit ${commit.slice(0, 12)}, and HEAD is ${head.slice(0, 12)}: npm run build builds it again`,
  );
}
