/** `npm run access`: writes the table of docs/access.md. With `check`, names what is wrong instead. */
import { join } from "node:path";
import { Command } from "commander";
import { routesOf } from "../access/routes.ts";
import { tableOf, withTable } from "../access/table.ts";
import { readNamed, writeNamed } from "../common/named-file.ts";
import { UserError } from "../common/user-error.ts";
import { ROOT } from "../release/root.ts";
import { runCommand } from "./command.ts";

const PAGE = "docs/access.md";
const file = join(ROOT, PAGE);

/** What the page is, and what it should be. */
async function pages(): Promise<{ is: string; should: string }> {
  const routes = await routesOf(ROOT);
  const bare = routes.filter(({ action }) => action === undefined).map(({ method, path }) => `${method} ${path}`);
  if (bare.length > 0) {
    throw new UserError(
      `No action stands in front of ${bare.join(", ")}, so nobody may call it. Put may(<pattern>, "<action>") into the route, as worker/counter/routes.ts does.`,
    );
  }
  const is = readNamed(file);
  return { is, should: withTable(is, tableOf(routes)) };
}

const program = new Command("npm run access --")
  .description("Writes into docs/access.md who may call which route, by the rules of worker/access.ts.")
  .action(async () => {
    const { is, should } = await pages();
    if (is !== should) writeNamed(file, should);
    console.log(`${PAGE} is ${is === should ? "as it was" : "written"}`);
  });
program
  .command("check")
  .description("fails where a route names no action, or docs/access.md is not what the rules say")
  .action(async () => {
    const { is, should } = await pages();
    if (is !== should)
      throw new UserError(`${PAGE} is not what the rules of worker/access.ts say: npm run access writes it`);
  });

await runCommand(program);
