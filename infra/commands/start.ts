/** `npm start` and `npm run account`: the local account at the command line, with and without the program. */

import { relative, resolve } from "node:path";
import type { Options } from "@durable-stack/local-account";
import { CannotStart, type Fault, parseFault, type RunningAccount } from "@durable-stack/local-account";
import { environmentOf, runningAccount } from "@durable-stack/local-account/address";
import { load, save } from "@durable-stack/local-account/snapshots";
import { Command, InvalidArgumentError, Option } from "commander";
import * as v from "valibot";
import { dirOption } from "../apply/hints.ts";
import { start, startHere, startInto } from "../apply/start.ts";
import { END_SIGNALS } from "../common/interrupted.ts";
import { mustBeFree } from "../common/ports.ts";
import { UserError } from "../common/user-error.ts";
import { ROOT } from "../release/root.ts";
import { runningElsewhere } from "../stack/account.ts";
import { localWorker } from "../stack/local-worker.ts";
import { wantLocal } from "../stack/project.ts";
import { failed, orFail, runCommand } from "./command.ts";
import { whenNpmEnds } from "./npm-parent.ts";
import { dirAs, port } from "./options.ts";

/** The options as they are spelled at the command line. */
interface Given extends Omit<Options, "faults" | "defaultWorker"> {
  readonly into?: string;
  readonly fault: readonly Fault[];
  readonly worker?: string;
}

/** What the account answers to `POST /local/cron`. */
const Fired = v.object({
  result: v.nullable(v.array(v.object({ cron: v.string(), outcome: v.string() }))),
  errors: v.array(v.object({ message: v.string() })),
});

const program = new Command().name("npm run").showHelpAfterError();

serving(program.command("start"))
  .description("build the release, start the local account, apply the program to it")
  .addOption(
    new Option("--into <folder>", "deploy to the account that runs on this folder, at its ports, and end").conflicts([
      "fresh",
      "worker",
      "plan",
      "fault",
      "crons",
      "cpuLimit",
      "direct",
    ]),
  )
  .action((given: Given, command: Command) => {
    const { into } = given;
    wantLocal();
    if (into === undefined) return run(given, async (signal) => start(await ready(given), signal));
    refusePorts(command);
    const state = command.getOptionValueSource("dir") === "default" ? undefined : resolve(ROOT, given.dir);
    return runOnce((signal) => startInto(resolve(ROOT, into), { ...given, state }, signal));
  });

const account = serving(program.command("account"))
  .description("start a local Cloudflare account: the one found in --dir, or an empty one")
  .action((given: Given) => run(given, async () => startEmpty(await ready(given))));

account
  .command("env")
  .description(
    'print what points wrangler, the SDK and Pulumi at the running account, for eval "$(npm run -s account -- env)"',
  )
  .action((_, command: Command) => printEnvironment(resolve(ROOT, command.optsWithGlobals<Given>().dir)));

account
  .command("cron")
  .argument("<worker>", "name of a deployed Worker")
  .argument("[cron]", "one of its cron triggers; all of them when not given")
  .description("fire the cron triggers of a Worker of the running account")
  .action((worker: string, cron: string | undefined, _, command: Command) =>
    fireCron(resolve(ROOT, command.optsWithGlobals<Given>().dir), worker, cron),
  );

const snapshot = account.command("snapshot").description("copy the account to a folder, or from it");
snapshot
  .command("save")
  .argument("<folder>", "a folder that is empty or not there")
  .description("save the account of --dir, which may be running")
  .action((folder: string, _, command: Command) =>
    orSay(async () => {
      const dir = resolve(ROOT, command.optsWithGlobals<Given>().dir);
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
      const { dir, fresh } = command.optsWithGlobals<Given>();
      await load(folder, resolve(ROOT, dir), fresh);
      console.log(`${resolve(ROOT, dir)} is now the account of ${folder}.`);
    }),
  );

await runCommand(program);

/** Does the work. What stands against it is for the person who asked. */
async function orSay(work: () => Promise<void>): Promise<void> {
  await work().catch((error: unknown) => {
    throw error instanceof CannotStart ? new UserError(error.message) : error;
  });
}

function serving(command: Command): Command {
  return command
    .addOption(
      portOption("--port <port>", "port of the deployed Workers; 0 takes a free one", 8787, "DURABLE_STACK_PORT"),
    )
    .addOption(
      portOption("--api-port <port>", "port of the REST API; 0 takes a free one", 8788, "DURABLE_STACK_API_PORT"),
    )
    .option(...dirAs("where the account's state is kept, seen from the project"))
    .option("--fresh", "forget the account that is there and begin anew", false)
    .option("--no-crons", "cron triggers fire only on `npm run account -- cron <worker>`")
    .option(
      "--no-cpu-limit",
      "a Worker may compute and take memory without an end, and then stops the others (for a debugger)",
    )
    .option(
      "--direct",
      "give each Worker an address of its own in workerd, for load tests; no exceptions are printed then",
      false,
    )
    .option("--json", "print one line of JSON once it runs, and no progress", false)
    .option("--worker <name>", "Worker of http://127.0.0.1:<port>/ (default: this project's, else the first one)")
    .addOption(
      new Option("--plan <plan>", "free: SQLite namespaces only, and its limits; or paid")
        .choices(["free", "paid"])
        .default("paid"),
    )
    .option(
      "--fault <fault>",
      'make calls of the API fail, as in "POST */versions 503 after"; may be repeated',
      fault,
      [],
    );
}

/**
 * An account that runs has its ports. Not by `conflicts`, which would refuse them from the environment too, where they
 * are for every command.
 */
function refusePorts(command: Command): void {
  const given = command.options.find(
    (option) =>
      ["port", "apiPort"].includes(option.attributeName()) &&
      command.getOptionValueSource(option.attributeName()) === "cli",
  );
  if (given) command.error(`error: option '--into <folder>' cannot be used with option '${given.flags}'`);
}

function portOption(flags: string, description: string, usual: number, variable: string): Option {
  return new Option(flags, description).argParser(port).default(usual).env(variable);
}

function fault(text: string, before: readonly Fault[]): readonly Fault[] {
  try {
    return [...before, parseFault(text)];
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

/** The options of an account that can start. @throws UserError where ports are in use, before anything is there of it. */
async function ready(given: Given): Promise<Options> {
  const options = settled(given);
  // Of a folder in use, whose ports these may be, the account tells which account it is.
  if (!runningAccount(options.dir)) {
    await mustBeFree([
      { port: options.port, option: "--port" },
      { port: options.apiPort, option: "--api-port" },
    ]);
  }
  return options;
}

function settled({ fault: faults, worker, ...given }: Given): Options {
  return { ...given, faults, defaultWorker: worker ?? localWorker(), dir: resolve(ROOT, given.dir) };
}

/** Runs until Ctrl-C, a TERM or HUP signal or the end of npm, then closes in order; a second Ctrl-C ends at once. */
async function run(
  options: Pick<Options, "json">,
  begin: (signal: AbortSignal) => Promise<RunningAccount>,
): Promise<void> {
  const interrupted = new AbortController();
  const { promise: stopped, resolve: done } = Promise.withResolvers<void>();
  const stop = () => {
    if (interrupted.signal.aborted) process.exit(130);
    interrupted.abort();
    done();
  };
  listen(stop);
  whenNpmEnds(() => {
    // Nobody may be left who reads; that is no reason to end out of order.
    for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
    stop();
  });
  try {
    const running = await begin(interrupted.signal);
    listen(stop);
    await stopped;
    await running.close();
    if (!options.json) console.log("\nStopped. The data is kept; the next start finds it.");
    process.exit(0);
  } catch (error) {
    if (interrupted.signal.aborted) process.exit(0);
    failed(error);
    process.exit();
  }
}

/** Runs to its end; Ctrl-C, a TERM or a HUP signal ends it in order. */
async function runOnce(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const interrupted = new AbortController();
  listen(() => interrupted.abort());
  await orFail(() => work(interrupted.signal));
}

/**
 * Listens for Ctrl-C, TERM and HUP, alone: Miniflare's listeners end the process before anything could be closed in order.
 * A listener of ours that is there stays: between its end and the next, Node would drop a signal that has come already.
 */
function listen(stop: () => void): void {
  for (const signal of END_SIGNALS) {
    const others = process.listeners(signal).filter((listener) => listener !== stop);
    if (!process.listeners(signal).includes(stop)) process.on(signal, stop);
    for (const other of others) process.off(signal, other);
  }
}

async function startEmpty(options: Options): Promise<RunningAccount> {
  const running = await startHere(options);
  const { apiUrl, accountId, token, port, subdomain } = running;
  if (options.json) console.log(JSON.stringify({ apiUrl, accountId, token, port, subdomain }));
  else {
    console.log(`Local account ${accountId}`);
    console.log(`  REST API   ${apiUrl}`);
    console.log(`  Workers    http://<worker>.${subdomain}.localhost:${port}/`);
    console.log(`  State      ${relative(ROOT, options.dir) || options.dir}`);
    console.log(`\nPoint wrangler or the SDK at it:  eval "$(npm run -s account -- env${dirOption(options.dir)})"`);
  }
  return running;
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

/** The options of the command that starts an account there. */
function hint(dir: string): string {
  const option = dirOption(dir);
  return option === "" ? "" : ` --${option}`;
}

/** The account that runs on a directory. @throws UserError saying how to start one. */
function mustRun(dir: string): NonNullable<ReturnType<typeof runningAccount>> {
  const address = runningAccount(dir);
  if (address) return address;
  throw new UserError(
    `No account runs in ${relative(ROOT, dir) || dir}.${runningElsewhere()} Start one with: npm run account${hint(dir)}`,
  );
}
