/**
 * `npm run destroy -- --stack S`: says what is lost with a stack and what stands against it, asks, and only then runs
 * `pulumi destroy`. An obstacle that is met in the middle would leave half a stack.
 */

import { Command } from "commander";
import { dirOption } from "../apply/hints.ts";
import { runPulumi } from "../apply/pulumi-cli.ts";
import { lockLine } from "../apply/update-line.ts";
import { saying } from "../common/interrupted.ts";
import { UserError } from "../common/user-error.ts";
import { destructionOf } from "../plan/destruction.ts";
import { ROOT } from "../release/root.ts";
import { openStack } from "../stack/open.ts";
import { LOCAL } from "../stack/project.ts";
import { confirm, onStack, runCommand, type StackCommandOptions } from "./command.ts";

interface Options extends StackCommandOptions {
  readonly yes?: boolean;
}

const command = onStack(new Command("npm run destroy --"))
  .description("Say what is lost with a stack and what stands against it, then run `pulumi destroy`.")
  .option("--yes", "do not ask")
  .action(destroy);

async function destroy({ stack: name, dir, yes = false }: Options): Promise<void> {
  if (name === LOCAL) {
    throw new UserError(
      `The stack ${LOCAL} goes with its account: \`npm start --${dirOption(dir)} --fresh\` forgets the account in ${dir}, with all data in it, and begins anew. Nothing was changed.`,
    );
  }
  const { lost, obstacles, isBehind, inState } = await destructionOf(openStack(name, { dir }));
  const losesNothing = lost.length === 0;
  // As after a destruction that was interrupted: the state may have something left that is in no account.
  if (losesNothing) console.log(`Nothing of the stack ${name} is left in its account.`);
  else console.log(`With the stack ${name} is lost, for good:\n${lines(lost)}`);
  if (obstacles.length > 0) throw new UserError(`\nNothing was deleted. What stands against it:\n${lines(obstacles)}`);
  if (!losesNothing) await confirm(`Delete all of it`, yes);
  // Its zones may still have some, and what the account does not show to this token it may have all the same.
  else if (inState > 0) {
    const resources = inState === 1 ? "resource" : "resources";
    await confirm(`Delete the ${inState} ${resources} that its state has all the same`, yes);
  }
  const code = await saying(
    // A CLI that is interrupted between two deletions says that all is deleted, and ends with 0.
    () =>
      `\nInterrupted. What was deleted of ${name} by then does not come back, and it need not be all, whatever the CLI says above. What is left, if anything, and to delete it: npm run destroy -- --stack ${name}`,
    runPulumi(["destroy", "--stack", name, ...(isBehind ? ["--refresh"] : []), "--yes", "--skip-preview"], ROOT),
  );
  if (code !== 0)
    throw new UserError(
      `Not all of it is deleted. Correct what is above, then run the same command again. ${lockLine(name)}`,
    );
}

const lines = (texts: readonly string[]) => texts.map((text) => `  ${text}`).join("\n");

await runCommand(command);
