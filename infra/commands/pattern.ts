/** `npm run pattern`: lists the patterns, and checks that each has all that belongs to it. */
import { Command } from "commander";
import type { PatternFacts } from "../../worker/pattern.ts";
import { patterns } from "../../worker/patterns.ts";
import { table } from "../common/table.ts";
import { UserError } from "../common/user-error.ts";
import { Draft } from "../init/draft.ts";
import { addPattern, obstacleToName } from "../pattern/add.ts";
import { problemsOf } from "../pattern/check.ts";
import { packagesOnlyOf, uninstalling } from "../pattern/packages.ts";
import { obstaclesToRemoval, type Removal, removePatterns, stillSpeaking } from "../pattern/remove.ts";
import { seenHere } from "../pattern/seen.ts";
import { ownTemplate } from "../pattern/template.ts";
import { ownMigrations } from "../release/own-migrations.ts";
import { ROOT } from "../release/root.ts";
import { projectName, stackNames } from "../stack/project.ts";
import { runCommand } from "./command.ts";
import { files, make, paths, released, wantGit } from "./editing.ts";

const program = new Command("npm run pattern --").description(
  "The patterns of this project: worker/patterns.ts lists them. docs/add-a-pattern.md tells what belongs to one.",
);

program
  .command("list")
  .description("each pattern with its class, binding, path and the name in its objects' names")
  .option("--json", "as JSON")
  .action(({ json }: { json?: true }) => {
    const rows = patterns.map((facts: PatternFacts) => {
      const { folder, class: className, binding, path, name, needs = [] } = facts;
      return { folder, class: className, binding, path, name, needs, settings: Object.keys(facts.settings) };
    });
    if (json) return console.log(JSON.stringify(rows, null, 2));
    const cells = rows.map((row) => [
      ...[row.folder, row.class, row.binding, row.path, row.name],
      row.needs.join(", ") || "-",
      row.settings.join(", ") || "-",
    ]);
    console.log(table([["pattern", "class", "binding", "path", "objects", "needs", "settings"], ...cells]));
  });

program
  .command("check")
  .description("whether each pattern has its class, binding, migration, tests and tools, and nothing of another's")
  .action(() => {
    const problems = problemsOf(patterns, seenHere());
    if (problems.length > 0) {
      throw new UserError(problems.map(({ where, what, fix }) => `${where}: ${what}. Fix: ${fix}.`).join("\n"));
    }
    const count: number = patterns.length;
    console.log(`${count === 1 ? "1 pattern" : `${count} patterns, each`} with all that belongs to it.`);
  });

program
  .command("add")
  .argument("<name>", "what it is called: its folders, its path, and the middle of its objects' names")
  .option("--dry-run", "say what would change, and change nothing", false)
  .description("make a small working pattern: class, routes, panel, settings, tests and tools")
  .action(async (name: string, { dryRun }: { readonly dryRun: boolean }) => {
    // Loads Pulumi, which the other commands do without.
    const { CONFIG_KEYS } = await import("../stack/schema.ts");
    const project = { patterns, migrations: ownMigrations(), configKeys: CONFIG_KEYS, template: ownTemplate() };
    const obstacle = obstacleToName(name, project, files);
    if (obstacle !== undefined) throw new UserError(`Nothing was changed. ${obstacle}`);
    const draft = new Draft(files);
    const { className, folder } = addPattern(draft, name, project);
    await make(draft.changes, { dryRun, tidied: true });
    if (dryRun) return;
    console.log(
      `\n${[
        `${className} answers at /${folder}. worker/${folder}/ and test/${folder}/ are yours to fill.`,
        "Check it, and commit it:",
        `  npm run check && npm run typecheck && npx vitest run --project worker test/${folder}`,
      ].join("\n")}`,
    );
  });

program
  .command("remove")
  .argument("<name...>", "patterns, by their folders")
  .option("--dry-run", "say what would change, and change nothing", false)
  .description("take patterns out, with all that belongs to them")
  .action(async (names: readonly string[], { dryRun }: { readonly dryRun: boolean }) => {
    const folders = [...new Set(names)];
    const obstacles = obstaclesToRemoval(folders, { patterns });
    if (obstacles.length) throw new UserError(`Nothing was changed.\n${obstacles.map((one) => `- ${one}`).join("\n")}`);
    const draft = new Draft(files);
    const reasons = released();
    const project = {
      project: projectName(),
      patterns,
      migrations: ownMigrations(),
      stacks: stackNames(ROOT),
      paths: paths(),
      released: reasons,
    };
    const removal = removePatterns(draft, folders, project);
    const packages = packagesOnlyOf(folders, project.paths, files.read);
    if (!dryRun) wantGit();
    await make(draft.changes, { dryRun, tidied: true });
    if (dryRun) return;
    console.log(`\n${afterwards({ ...removal, folders, isReleased: reasons.length > 0, packages }).join("\n")}`);
  });

interface Removed extends Omit<Removal, "migrations"> {
  /** The patterns' folders. */
  readonly folders: readonly string[];
  readonly isReleased: boolean;
  /** Packages that nothing uses any more. */
  readonly packages: readonly string[];
}

/** What a person should know then. */
function afterwards(removed: Removed): readonly string[] {
  const { folders, deleted, because, absent, speaking, packages, isReleased } = removed;
  return [
    ...(deleted.length
      ? [
          `The history has a step that deletes ${deleted.join(", ")}: ${because.join("; ")}.`,
          "A stack that has such a class, with objects or without, refuses its next `up` until it says, in its own file:",
          `  allowDestroy: [${deleted.join(", ")}]`,
          "The objects are gone then, with all their data. Without that nothing is deleted.",
        ]
      : []),
    ...(absent.length
      ? [
          `The history leaves no ${absent.join(", ")}, so no step was added. A class that it has under an older name needs one of yours: docs/change-a-class.md.`,
        ]
      : []),
    ...stillSpeaking(folders, speaking),
    ...uninstalling(packages, isReleased),
    "Check it, and commit it:",
    "  npm run check && npm run typecheck && npm test",
  ];
}

await runCommand(program.showHelpAfterError());
