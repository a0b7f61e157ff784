/** `npm run keys`: makes, lists and revokes the API keys of a stack. */

import Cloudflare from "cloudflare";
import { Command, InvalidArgumentError, Option } from "commander";
import { patterns } from "../../worker/patterns.ts";
import { fixOfPassing, refusesToken, tokenFix } from "../provider/api.ts";
import { ROOT } from "../release/root.ts";
import { namedAccount } from "../stack/account.ts";
import { ApiKeys, KeysError } from "../stack/api-keys.ts";
import { localWorker, workerOf } from "../stack/local-worker.ts";
import { absentStack, LOCAL } from "../stack/project.ts";
import { settingsFile } from "../stack/settings-file.ts";
import { orFail, parseLine } from "./command.ts";
import { dirAs } from "./options.ts";

interface Options {
  worker?: string;
  dir: string;
}

/** All actions of a pattern by its name, and each by its own. */
const GRANTS: readonly string[] = patterns.flatMap(({ folder, actions }) => [
  folder,
  ...Object.keys(actions).map((action) => `${folder}.${action}`),
]);

function grants(given: string, before: readonly string[]): readonly string[] {
  if (GRANTS.includes(given)) return [...new Set([...before, given])];
  throw new InvalidArgumentError(`There is no such action; there are ${GRANTS.join(", ")}.`);
}

/** Other commands take a stack, and its account with it; this one takes the account of the environment. */
function workerInstead(stack: string): never {
  const absent = absentStack(stack, ROOT);
  if (absent !== undefined) throw new InvalidArgumentError(absent);
  throw new InvalidArgumentError(
    stack === LOCAL
      ? "Keys are found by the Worker's name, and that of the stack local is taken without any option."
      : `Keys are found by the Worker's name. Say: --worker ${workerOf(stack)}`,
  );
}

const program = new Command("npm run keys --")
  .description(
    "API keys of a stack: whoever shows one as X-API-Key is a service, with a bucket of its own at the rate limiter, and may do what it was granted.",
  )
  .option("--worker <name>", "the stack's workerName (default: that of the stack local)")
  .addOption(new Option("--stack <name>").argParser(workerInstead).hideHelp())
  .option(
    ...dirAs("where the local account keeps its state; where it is named, an account that is exported is not asked"),
  );

const keys = async () => {
  const { dir, worker = localWorker(settingsFile(LOCAL, dir)) } = program.opts<Options>();
  const account = namedAccount(dir, program.getOptionValueSource("dir") === "cli");
  const found = await ApiKeys.of(account, worker);
  // Not where a program reads keys.
  console.error(`Of the Worker ${worker} in ${account.called}:`);
  return found;
};

program
  .command("create")
  .description("make a key and show it, this once")
  .requiredOption("--name <name>", "whose key it is")
  .option("--grant <action...>", `what it may do, besides what anybody may: ${GRANTS.join(", ")}`, grants, [])
  .action(async ({ name, grant }: { name: string; grant: string[] }) => {
    const { id, key } = await (await keys()).create(name, grant);
    console.error(`Key ${id} for ${name}. It is shown only now:`);
    console.log(key);
  });

program
  .command("list")
  .description("show ids, dates and names, never the keys")
  .action(async () => {
    const all = await (await keys()).list();
    if (all.length === 0) console.error("There are no keys. Make one with: npm run keys -- create --name <whose>");
    for (const { id, createdAt, name, grants } of all) {
      console.log([id, createdAt, name, ...(grants.length ? [`may ${grants.join(", ")}`] : [])].join("  "));
    }
  });

program
  .command("revoke")
  .description("revoke a key by its id; within two minutes it is refused everywhere")
  .argument("<id>")
  .action(async (id: string) => {
    const { name } = await (await keys()).revoke(id);
    console.log(`Revoked ${id}, the key of ${name}.`);
  });

type Refusal = InstanceType<typeof Cloudflare.APIError>;

/** What the account says of it, without the JSON around. A status from 500 on is no refusal. */
function said({ errors, message, status }: Refusal): string {
  const sentences = errors.flatMap((one) => one.message ?? []);
  if (sentences.length === 0) return message;
  return `The account ${Number(status) >= 500 ? "could not do" : "refused"} it: ${sentences.join("; ")}`;
}

const fixFor = (status: Refusal["status"]): string | undefined =>
  refusesToken(status) ? tokenFix("may edit Workers KV Storage", "CLOUDFLARE_ACCOUNT_ID") : fixOfPassing(status);

await orFail(async () => {
  try {
    await parseLine(program);
  } catch (error) {
    if (!(error instanceof Cloudflare.APIError)) throw error;
    throw new KeysError(said(error), { cause: error, fix: fixFor(error.status) });
  }
});
