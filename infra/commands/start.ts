/** `npm start` and `npm run account`: the local account at the command line, with and without the program. */

import { relative, resolve } from "node:path";
import type { Options } from "@durable-stack/local-account";
import { type Fault, parseFault, type RunningAccount } from "@durable-stack/local-account";
import { runningAccount } from "@durable-stack/local-account/address";
import { Command, InvalidArgumentError, Option } from "commander";
import { dirOption } from "../apply/hints.ts";
import { start, startHere, startInto } from "../apply/start.ts";
import { messageOf } from "../common/errors.ts";
import { END_SIGNALS, type EndSignal, exitCodeOf } from "../common/interrupted.ts";
import { mustBeFree } from "../common/ports.ts";
import { ROOT } from "../release/root.ts";
import { localWorker } from "../stack/local-worker.ts";
import { wantLocal } from "../stack/project.ts";
import { addAccountCommands } from "./account.ts";
import { failed, orFail, runCommand } from "./command.ts";
import { whenNpmEnds } from "./npm-parent.ts";
import { dirAs, port } from "./options.ts";

/** The options as they are spelled at the command line. */
interface Given extends Omit<Options, "faults" | "defaultWorker"> {
  readonly into?: string;
  readonly fault: readonly Fault[];
  readonly worker?: string;
}

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
    if (into === undefined) {
      const option = dirOption(given.dir);
      const begun = `\nInterrupted before it was ready. What the deployment had done by then is kept; to complete it: npm start${option && ` --${option}`}`;
      return run(given, async (signal) => start(await ready(given), signal), begun);
    }
    refusePorts(command);
    const state = command.getOptionValueSource("dir") === "default" ? undefined : resolve(ROOT, given.dir);
    return runOnce((signal) => startInto(resolve(ROOT, into), { ...given, state }, signal));
  });

const account = serving(program.command("account"))
  .description("start a local Cloudflare account: the one found in --dir, or an empty one")
  .action((given: Given) => run(given, async () => startEmpty(await ready(given))));

addAccountCommands(account);

await runCommand(program);

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
    throw new InvalidArgumentError(messageOf(error));
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

/**
 * Runs until Ctrl-C, a TERM or HUP signal or the end of npm, then closes in order; a second Ctrl-C ends at once. One that
 * comes before it runs is no good end: it says `begun`, and the exit code is the signal's. What fails as it closes is told.
 */
async function run(
  options: Pick<Options, "json">,
  begin: (signal: AbortSignal) => Promise<RunningAccount>,
  begun = "\nInterrupted before it was ready.",
): Promise<void> {
  const interrupted = new AbortController();
  const { promise: stopped, resolve: done } = Promise.withResolvers<void>();
  let came: EndSignal | undefined;
  let isReady = false;
  const stop = (signal: NodeJS.Signals) => {
    if (came !== undefined) process.exit(exitCodeOf(came));
    came = endSignal(signal);
    interrupted.abort();
    done();
  };
  listen(stop);
  whenNpmEnds(() => {
    // Nobody may be left who reads; that is no reason to end out of order.
    for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
    stop("SIGTERM");
  });
  try {
    const running = await begin(interrupted.signal);
    isReady = true;
    await stopped;
    await running.close();
    if (!options.json) console.log("\nStopped. The data is kept; the next start finds it.");
    process.exit(0);
  } catch (error) {
    if (came === undefined || isReady) failed(error);
    else {
      console.error(begun);
      process.exitCode = exitCodeOf(came);
    }
    process.exit();
  }
}

/** One of those that it listens to. */
function endSignal(signal: NodeJS.Signals): EndSignal {
  return END_SIGNALS.find((one) => one === signal) ?? "SIGTERM";
}

/** Runs to its end; Ctrl-C, a TERM or a HUP signal ends it in order. */
async function runOnce(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const interrupted = new AbortController();
  let came: EndSignal | undefined;
  listen((signal) => {
    came ??= endSignal(signal);
    interrupted.abort();
  });
  await orFail(() => work(interrupted.signal));
  if (came !== undefined && process.exitCode) process.exitCode = exitCodeOf(came);
}

/**
 * Listens for Ctrl-C, TERM and HUP, alone: Miniflare's listeners, which come as the account starts, end the process before
 * anything could be closed in order. No signal comes between the end of a piece of work and its microtasks.
 */
function listen(stop: (signal: NodeJS.Signals) => void): void {
  for (const signal of END_SIGNALS) process.on(signal, stop);
  const alone = () => {
    for (const signal of END_SIGNALS) {
      for (const other of process.listeners(signal)) if (other !== stop) process.off(signal, other);
    }
  };
  alone();
  process.on("newListener", (event) => {
    if (END_SIGNALS.some((signal) => signal === event)) queueMicrotask(alone);
  });
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
