/** `npm run init`: makes the template a project of your own (docs/make-it-yours.md). */
import { Command } from "commander";
import * as v from "valibot";
import { patterns } from "../../worker/patterns.ts";
import { firstDay, type Situation, unwantedOf } from "../init/init.ts";
import { packagesOnlyOf, uninstalling } from "../pattern/packages.ts";
import { stillSpeaking } from "../pattern/remove.ts";
import { ownMigrations } from "../release/own-migrations.ts";
import { runCommand } from "./command.ts";
import { deployed, files, make, paths, wantGit } from "./editing.ts";

interface Options {
  readonly name: string;
  readonly hostname?: string;
  readonly patterns?: readonly string[];
  readonly keepHistory: boolean;
  readonly dryRun: boolean;
}

/** `a,b` and `a, b`. */
const listed = (text: string): readonly string[] =>
  text
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);

const Named = v.object({ name: v.string() });

function situation(): Situation {
  return {
    ...deployed(),
    packageName: v.parse(Named, JSON.parse(files.read("package.json") ?? "{}")).name,
    migrations: ownMigrations(),
    patterns,
    paths: paths(),
  };
}

const program = new Command("npm run init --")
  .description("Makes the template a project of your own: its name, its host name, a history that begins with it.")
  .requiredOption("--name <name>", "the project's name; its Workers are called after it (my-app, my-app-staging)")
  .option("--hostname <name>", "the host name of production, such as api.example.com; its zoneId is set later")
  .option(
    "--patterns <names>",
    "the patterns that stay, by their folders (counter,rate-limit); all, if not given",
    listed,
  )
  .option("--keep-history", "leave infra/migrations.ts and its lock as they are", false)
  .option("--dry-run", "say what would change, and change nothing", false)
  .showHelpAfterError()
  .action(async ({ name, hostname, patterns: wanted, keepHistory, dryRun }: Options) => {
    const before = situation();
    const { changes, speaking } = firstDay({ name, hostname, patterns: wanted, keepHistory }, before, files);
    if (changes.length === 0) {
      console.log(`Nothing to change: this is ${name}.`);
      return;
    }
    const unwanted = unwantedOf({ patterns: wanted }, before);
    const packages = packagesOnlyOf(unwanted, before.paths, files.read);
    if (!dryRun) wantGit();
    await make(changes, { dryRun, tidied: wanted !== undefined });
    if (dryRun) return;
    const left = [...stillSpeaking(unwanted, speaking), ...uninstalling(packages, keepHistory)];
    console.log(`\n${[...left, ...next(before, name, hostname)].join("\n")}`);
  });

/** What is to be done then. */
function next({ project, deployedLocally }: Situation, name: string, hostname: string | undefined): readonly string[] {
  return [
    `This is ${name}. Check it, and commit it:`,
    `  npm run check && npm run typecheck`,
    `  git add --all && git commit -m "This is ${name}"`,
    ...(hostname === undefined ? [] : [`${hostname} needs its zone: zoneId in Pulumi.production.yaml.`]),
    ...(deployedLocally.length && project !== name
      ? [
          `The local account in ${deployedLocally.join(", ")} has ${project}. Try ${name} beside it: npm start -- --dir .local-${name}`,
        ]
      : []),
    "What to look at next: docs/make-it-yours.md",
  ];
}

await runCommand(program);
