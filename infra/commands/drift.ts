/**
 * `npm run drift -- --stack S`: what in the stack's account is not as the program left it, for a scheduled job. Exit code
 * 0: no drift, 2: drift, 1: not known, because the account could not be read or the release is not of this checkout's
 * history. It only reads, and needs no Pulumi.
 */
import { describe } from "@durable-stack/class-lifecycle";
import { Command } from "commander";
import { refreshLine } from "../apply/update-line.ts";
import { driftOf } from "../plan/account-drift.ts";
import { openStack } from "../stack/open.ts";
import { onStack, runCommand, type StackCommandOptions } from "./command.ts";

interface Options extends StackCommandOptions {
  readonly json?: true;
}

const command = onStack(new Command("npm run drift --"))
  .description(
    "Name what in a stack's account is not as its settings and the release in its `release` folder say. Exit code 0: no drift, 2: drift, 1: not known.",
  )
  .option("--json", "print one line of JSON")
  .action(async ({ stack, dir, json }: Options) => {
    const { found, notes } = await driftOf(openStack(stack, { dir }), { refresh: refreshLine(stack, dir), dir });
    if (json) console.log(JSON.stringify({ stack, drift: found, ...(notes.length > 0 && { notes }) }));
    else if (found.length === 0) console.log(`${stack}: no drift`);
    else for (const finding of found) console.log(describe(finding));
    if (!json) for (const note of notes) console.log(note);
    if (found.length > 0) process.exitCode = 2;
  });

await runCommand(command);
