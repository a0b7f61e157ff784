/** `npm run init`: makes the template a project of your own (docs/make-it-yours.md). */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import * as v from "valibot";
import type { Change, ProjectFiles } from "../init/draft.ts";
import { changesFor, type Situation } from "../init/init.ts";
import { migrations } from "../migrations.ts";
import { ROOT } from "../release/root.ts";
import { projectName, stackNames } from "../stack/project.ts";
import { appliesHere, isApplied } from "../stack/settings-file.ts";
import { Refused, runCommand, table } from "./command.ts";

interface Options {
  readonly name: string;
  readonly hostname?: string;
  readonly keepHistory: boolean;
  readonly dryRun: boolean;
}

const LOCAL_DIR = ".local";

const files: ProjectFiles = {
  read: (file) => (existsSync(join(ROOT, file)) ? readFileSync(join(ROOT, file), "utf8") : undefined),
  has: (folder) => existsSync(join(ROOT, folder)),
};

/** What git says, seen from the project; undefined where the project is in no repository, or there is no git. */
function git(...args: readonly string[]): readonly string[] | undefined {
  try {
    const text = execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return text.split("\n").filter((line) => line !== "");
  } catch {
    return undefined;
  }
}

const Named = v.object({ name: v.string() });

function situation(): Situation {
  return {
    project: projectName(),
    packageName: v.parse(Named, JSON.parse(files.read("package.json") ?? "{}")).name,
    stacks: stackNames(ROOT),
    migrations,
    releases: git("tag", "--list", "v*") ?? [],
    deployedLocally: isApplied(LOCAL_DIR) || !appliesHere(LOCAL_DIR) ? LOCAL_DIR : undefined,
  };
}

/** What may be undone must be told apart from what was there before. @throws Refused where something is not committed. */
function wantClean(): void {
  const open = git("status", "--porcelain", "--", ".") ?? [];
  if (open.length === 0) return;
  const more = open.length > 5 ? [`  and ${open.length - 5} more`] : [];
  const shown = [...open.slice(0, 5).map((line) => `  ${line}`), ...more].join("\n");
  throw new Refused(
    `Nothing was changed: there are changes that are not committed.\n${shown}\nCommit them first, so that you can tell them from what init does. --dry-run shows that without doing it.`,
  );
}

function write({ path, text }: Change): void {
  if (text === undefined) rmSync(join(ROOT, path), { recursive: true });
  else writeFileSync(join(ROOT, path), text);
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
    if (!dryRun) wantClean();
    console.log(table(changes.map(({ path, what }) => [path, what.join("; ")])));
    if (dryRun) {
      console.log("\nNothing was changed (--dry-run).");
      return;
    }
    for (const change of changes) write(change);
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
