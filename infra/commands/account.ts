/** `npm run account -- env`, `cron` and `snapshot`: what is done with the local account of a folder. */

import { relative, resolve } from "node:path";
import { CannotStart } from "@durable-stack/local-account";
import { environmentOf, runningAccount } from "@durable-stack/local-account/address";
import { load, save } from "@durable-stack/local-account/snapshots";
import type { Command } from "commander";
import * as v from "valibot";
import { dirOption } from "../apply/hints.ts";
import { UserError } from "../common/user-error.ts";
import { ROOT } from "../release/root.ts";
import { runningElsewhere } from "../stack/account.ts";

/** What these commands take from the options of `npm run account`. */
interface OfAccount {
  readonly dir: string;
  readonly fresh: boolean;
}

/** What the account answers to `POST /local/cron`. */
const Fired = v.object({
  result: v.nullable(v.array(v.object({ cron: v.string(), outcome: v.string() }))),
  errors: v.array(v.object({ message: v.string() })),
});

/** Adds the commands to `npm run account`. */
export function addAccountCommands(account: Command): void {
  account
    .command("env")
    .description(
      'print what points wrangler, the SDK and Pulumi at the running account, for eval "$(npm run -s account -- env)"',
    )
    .action((_, command: Command) => printEnvironment(dirOf(command)));

  account
    .command("cron")
    .argument("<worker>", "name of a deployed Worker")
    .argument("[cron]", "one of its cron triggers; all of them when not given")
    .description("fire the cron triggers of a Worker of the running account")
    .action((worker: string, cron: string | undefined, _, command: Command) => fireCron(dirOf(command), worker, cron));

  const snapshot = account.command("snapshot").description("copy the account to a folder, or from it");
  snapshot
    .command("save")
    .argument("<folder>", "a folder that is empty or not there")
    .description("save the account of --dir, which may be running")
    .action((folder: string, _, command: Command) =>
      orSay(async () => {
        const dir = dirOf(command);
        await save(dir, folder);
        console.log(`Saved the account of ${dir} in ${folder}. It has secrets in it.`);
      }),
    );
  snapshot
    .command("load")
    .argument("<folder>", "the folder of a snapshot")
    .description("make the account of --dir from a snapshot; --fresh replaces the one that is there")
    .action((folder: string, _, command: Command) =>
      orSay(async () => {
        const dir = dirOf(command);
        await load(folder, dir, command.optsWithGlobals<OfAccount>().fresh);
        console.log(`${dir} is now the account of ${folder}.`);
      }),
    );
}

/** The account's folder, as an absolute path. */
const dirOf = (command: Command): string => resolve(ROOT, command.optsWithGlobals<OfAccount>().dir);

/** Does the work. What stands against it is for the person who asked. */
async function orSay(work: () => Promise<void>): Promise<void> {
  await work().catch((error: unknown) => {
    throw error instanceof CannotStart ? new UserError(error.message) : error;
  });
}

function printEnvironment(dir: string): void {
  console.log(environmentOf(mustRun(dir)));
}

async function fireCron(dir: string, worker: string, cron: string | undefined): Promise<void> {
  const { apiUrl, token } = mustRun(dir);
  const response = await fetch(`${apiUrl}/local/cron`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({ worker, cron }),
  });
  const { result, errors } = v.parse(Fired, await response.json());
  for (const fired of result ?? []) console.log(`${fired.cron}  ${fired.outcome}`);
  if (errors.length > 0) throw new UserError(errors.map(({ message }) => message).join("\n"));
}

/** The account that runs on a directory. @throws UserError saying how to start one. */
function mustRun(dir: string): NonNullable<ReturnType<typeof runningAccount>> {
  const address = runningAccount(dir);
  if (address) return address;
  throw new UserError(
    `No account runs in ${relative(ROOT, dir) || dir}.${runningElsewhere()} Start one with: npm run account${hint(dir)}`,
  );
}

/** The options of the command that starts an account there. */
function hint(dir: string): string {
  const option = dirOption(dir);
  return option === "" ? "" : ` --${option}`;
}
