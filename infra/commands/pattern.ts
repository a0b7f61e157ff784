/** `npm run pattern`: lists the patterns, and checks that each has all that belongs to it. */
import { Command } from "commander";
import type { PatternFacts } from "../../worker/pattern.ts";
import { patterns } from "../../worker/patterns.ts";
import { problemsOf } from "../pattern/check.ts";
import { seenIn } from "../pattern/seen.ts";
import { ROOT } from "../release/root.ts";
import { Refused, runCommand, table } from "./command.ts";

const program = new Command("npm run pattern --").description(
  "The patterns of this project: worker/patterns.ts lists them. To add one: docs/add-a-pattern.md.",
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
    const problems = problemsOf(patterns, seenIn(ROOT));
    if (problems.length > 0) {
      throw new Refused(problems.map(({ folder, what, fix }) => `${folder}: ${what}. Fix: ${fix}.`).join("\n"));
    }
    console.log(`${patterns.length} patterns, each with all that belongs to it.`);
  });

await runCommand(program.showHelpAfterError());
