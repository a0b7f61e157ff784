/** `npm run init`: makes the template a project of your own (docs/make-it-yours.md). */
import { Command } from "commander";
import * as v from "valibot";
import { changesFor, type Situation } from "../init/init.ts";
import { migrations } from "../migrations.ts";
import { runCommand } from "./command.ts";
import { deployed, files, git, make } from "./editing.ts";

interface Options {
  readonly name: string;
  readonly hostname?: string;
  readonly keepHistory: boolean;
  readonly dryRun: boolean;
}

const Named = v.object({ name: v.string() });

function situation(): Situation {
  return {
    ...deployed(),
    packageName: v.parse(Named, JSON.parse(files.read("package.json") ?? "{}")).name,
    migrations,
  };
}

const program = new Command("npm run init --")
  .description("Makes the template a project of your own: its name, its host name, a history that begins with it.")
  .requiredOption("--name <name>", "the project's name; its Workers are called after it (my-app, my-app-staging)")
  .option("--hostname <name>", "the host name of production, such as api.example.com; its zoneId is set later")
  .option("--keep-history", "leave infra/migrations.ts and its lock as they are", false)
  .option("--dry-run", "say what would change, and change nothing", false)
  .showHelpAfterError()
  .action(({ name, hostname, keepHistory, dryRun }: Options) => {
    const before = situation();
    const changes = changesFor({ name, hostname, keepHistory }, before, files);
    if (changes.length === 0) {
      console.log(`Nothing to change: this is ${name}.`);
      return;
    }
    make(changes, dryRun);
    if (dryRun) return;
    console.log(`\n${next(before, name, hostname).join("\n")}`);
  });

/** What is to be done then. */
function next({ project, deployedLocally }: Situation, name: string, hostname: string | undefined): readonly string[] {
  const commit = `git add --all && git commit -m "This is ${name}"`;
  return [
    `This is ${name}. Check it, and commit it:`,
    `  npm run check && npm run typecheck`,
    `  ${git("rev-parse", "--git-dir") ? commit : `git init && ${commit}`}`,
    ...(hostname === undefined ? [] : [`${hostname} needs its zone: zoneId in Pulumi.production.yaml.`]),
    ...(deployedLocally !== undefined && project !== name
      ? [
          `The local account in ${deployedLocally} has ${project}. Try ${name} beside it: npm start -- --dir .local-${name}`,
        ]
      : []),
    "What to look at next: docs/make-it-yours.md",
  ];
}

await runCommand(program);
