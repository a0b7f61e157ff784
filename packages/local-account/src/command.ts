/**
 * `local-account` runs an account in the foreground: the one in its folder, or a new one. Its other commands point a
 * shell at the running account, run a command with an account of its own, and save and load snapshots.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { answeringAccount, environmentOf, variablesOf } from "./address.ts";
import { faultOfDisk, isOfMachine } from "./disk.ts";
import { END_SIGNALS } from "./end-signals.ts";
import { CannotStart, messageOf } from "./errors.ts";
import { type Fault, type Plan, parseFault, type RunningAccount, startAccount } from "./index.ts";
import { reachOwnDirectly } from "./no-proxy.ts";
import { load, save } from "./snapshot-commands.ts";
import { startTemporaryAccount } from "./testing.ts";

const USAGE = `Usage: local-account [options]        starts an account; Ctrl-C ends it, the data stays
       local-account env [--dir <folder>]
       local-account run [--snapshot <folder>] -- <command>
                         runs the command with an account of its own, which is gone afterwards; wrangler and the
                         SDK find it. With --dir, the account of that folder, and it stays
       local-account snapshot save|load <folder> [--dir <folder>] [--fresh]
                         copies the account of --dir to a folder, or from it

  --port <n>       port of the deployed Workers; 0 takes a free one (default: 8787; with run: 0)
  --api-port <n>   port of the REST API; 0 takes a free one (default: 8788; with run: 0)
  --dir <folder>   where its state is kept (default: .local)
  --no-crons       cron triggers fire only on POST /client/v4/local/cron
  --no-cpu-limit   a Worker may compute and take memory without an end, and then stops the others
  --direct         give each Worker an address of its own in workerd, for load tests; no exceptions are printed then
  --worker <name>  Worker of http://127.0.0.1:<port>/ (default: the first one)
  --plan <plan>    free: SQLite namespaces only, and its limits; or paid, the default
  --fault <fault>  makes calls of the API fail, as in "POST */versions 503 after"; may be repeated
  --fresh          forget the account that is there and begin anew
  --json           print one line of JSON once it runs`;

/** A mistake in the command line. The message is one line for the user. */
class Misused extends Error {}

function given() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        port: { type: "string" },
        "api-port": { type: "string" },
        dir: { type: "string" },
        snapshot: { type: "string" },
        "no-crons": { type: "boolean", default: false },
        "no-cpu-limit": { type: "boolean", default: false },
        direct: { type: "boolean", default: false },
        worker: { type: "string" },
        plan: { type: "string", default: "paid" },
        fault: { type: "string", multiple: true, default: [] },
        fresh: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    throw new Misused(messageOf(error));
  }
}

function port(option: string, written: string): number {
  const number = Number(written);
  if (/^\d+$/.test(written) && number <= 65_535) return number;
  throw new Misused(`--${option} ${written}: a port is a whole number from 0 to 65535.`);
}

function plan(written: string): Plan {
  if (written === "free" || written === "paid") return written;
  throw new Misused(`--plan ${written}: a plan is free or paid.`);
}

function fault(written: string): Fault {
  try {
    return parseFault(written);
  } catch (error) {
    throw new Misused(`--fault: ${messageOf(error)}`);
  }
}

type Values = ReturnType<typeof given>["values"];

const DIR = ".local";

async function main(): Promise<void> {
  const { values, positionals } = given();
  const [command, ...more] = positionals;
  const dir = path.resolve(values.dir ?? DIR);
  if (values.help) return console.log(USAGE);
  if (command === "run") return runWith(values, more);
  if (command === "snapshot") return snapshot(more, dir, values.fresh);
  if (command !== undefined && command !== "env") throw new Misused(`There is no command ${command}.`);
  if (more.length > 0) throw new Misused(`env takes no ${more.join(" ")}.`);
  if (command === "env") {
    const running = await answeringAccount(dir);
    if (!running) throw new CannotStart(`No local account runs in ${dir}. Start it: local-account --dir ${dir}`);
    return console.log(environmentOf(running));
  }
  const account = await startAccount({
    ...optionsOf(values),
    dir,
    fresh: values.fresh,
    port: port("port", values.port ?? "8787"),
    apiPort: port("api-port", values["api-port"] ?? "8788"),
  });
  const { apiUrl, accountId, token, subdomain } = account;
  if (values.json) console.log(JSON.stringify({ apiUrl, accountId, token, port: account.port, subdomain }));
  else {
    console.log(`Local account ${accountId}`);
    console.log(`  REST API   ${apiUrl}`);
    console.log(`  Workers    http://<worker>.${subdomain}.localhost:${account.port}/`);
    console.log(`  State      ${dir}`);
  }
  await ended();
  await account.close();
}

const optionsOf = (values: Values) => ({
  ...(values.worker !== undefined && { defaultWorker: values.worker }),
  plan: plan(values.plan),
  faults: values.fault.map(fault),
  direct: values.direct,
  crons: !values["no-crons"],
  cpuLimit: !values["no-cpu-limit"],
});

/** Runs a command with an account, and ends with its exit code. */
async function runWith(values: Values, command: readonly string[]): Promise<void> {
  if (command.length === 0) throw new Misused("run takes a command: local-account run -- npx wrangler deploy");
  const options = {
    ...optionsOf(values),
    port: port("port", values.port ?? "0"),
    apiPort: port("api-port", values["api-port"] ?? "0"),
  };
  const { dir, snapshot } = values;
  if (dir !== undefined && snapshot !== undefined)
    throw new Misused("--snapshot and --dir exclude each other: load the snapshot first (snapshot load).");
  if (values.fresh && snapshot !== undefined)
    throw new Misused("--snapshot and --fresh exclude each other: each run has a new copy of the snapshot.");
  const account =
    dir === undefined
      ? await startTemporaryAccount({ ...options, ...(snapshot !== undefined && { snapshot }) })
      : await startAccount({ ...options, fresh: values.fresh, dir: path.resolve(dir) });
  try {
    process.exitCode = await exitCodeOf(command, account);
  } finally {
    await account.close();
  }
}

async function exitCodeOf([name = "", ...args]: readonly string[], account: RunningAccount): Promise<number> {
  const env = { ...process.env, ...variablesOf(account), LOCAL_ACCOUNT_URL: `http://127.0.0.1:${account.port}` };
  const child = spawn(name, args, { stdio: "inherit", env });
  // The command decides what a signal means. At Ctrl-C, the terminal sends it one itself.
  void ended().then(() => child.kill("SIGTERM"));
  const [code, signal] = await once(child, "exit").catch((error: unknown) => {
    throw new CannotStart(`${name} cannot be run: ${messageOf(error)}`);
  });
  return typeof code === "number" ? code : exitCodeOfSignal(signal);
}

/** As a shell tells it: 128 and the number of the signal. */
function exitCodeOfSignal(signal: unknown): number {
  const [, number] = Object.entries(constants.signals).find(([name]) => name === signal) ?? [];
  if (number === undefined) throw new Error(`the system has no signal ${signal}`);
  return 128 + number;
}

async function snapshot([what, folder, ...more]: readonly string[], dir: string, fresh: boolean): Promise<void> {
  if (folder === undefined || more.length > 0) throw new Misused("snapshot takes save or load, and a folder.");
  if (what === "save") {
    await save(dir, folder);
    console.log(`Saved the account of ${dir} in ${folder}. It has secrets in it.`);
  } else if (what === "load") {
    await load(folder, dir, fresh);
    console.log(`${dir} is now the account of ${folder}.`);
  } else throw new Misused(`snapshot takes save or load, not ${what}.`);
}

/** Resolves at Ctrl-C, TERM or HUP. Miniflare's own listeners would end the process before the account is closed. */
function ended(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of END_SIGNALS) {
      process.removeAllListeners(signal);
      process.on(signal, () => resolve());
    }
  });
}

try {
  reachOwnDirectly();
  await main();
  process.exit();
} catch (error) {
  if (!(error instanceof Misused || error instanceof CannotStart || isOfMachine(error))) throw error;
  console.error(error instanceof Misused ? `${error.message}\n\n${USAGE}` : (faultOfDisk(error) ?? error.message));
  process.exit(1);
}
