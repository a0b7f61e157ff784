#!/usr/bin/env node
/**
 * `local-account` runs an account in the foreground: the one in its folder, or a new one. `local-account env` prints
 * shell commands that point wrangler and the SDK at the running account.
 */
import path from "node:path";
import { parseArgs } from "node:util";
import { environmentOf, runningAccount } from "./address.ts";
import { CannotStart } from "./errors.ts";
import { startAccount } from "./index.ts";

const USAGE = `Usage: local-account [options]        starts an account; Ctrl-C ends it, the data stays
       local-account env [--dir <folder>]

  --port <n>       port of the deployed Workers; 0 takes a free one (default: 8787)
  --api-port <n>   port of the REST API; 0 takes a free one (default: 8788)
  --dir <folder>   where its state is kept (default: .local)
  --no-crons       cron triggers fire only on POST /client/v4/local/cron
  --no-cpu-limit   a Worker may compute without an end, and then stops the others
  --fresh          forget the account that is there and begin anew
  --json           print one line of JSON once it runs`;

/** A mistake in the command line. The message is one line for the user. */
class Misused extends Error {}

function given() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        port: { type: "string", default: "8787" },
        "api-port": { type: "string", default: "8788" },
        dir: { type: "string", default: ".local" },
        "no-crons": { type: "boolean", default: false },
        "no-cpu-limit": { type: "boolean", default: false },
        fresh: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    throw new Misused(error instanceof Error ? error.message : String(error));
  }
}

function port(option: string, written: string): number {
  const number = Number(written);
  if (/^\d+$/.test(written) && number <= 65_535) return number;
  throw new Misused(`--${option} ${written}: a port is a whole number from 0 to 65535.`);
}

async function main(): Promise<void> {
  const { values, positionals } = given();
  const [command, ...more] = positionals;
  if (values.help) return console.log(USAGE);
  if (more.length > 0 || (command !== undefined && command !== "env")) {
    throw new Misused(`There is no command ${positionals.join(" ")}.`);
  }
  const dir = path.resolve(values.dir);
  if (command === "env") {
    const running = runningAccount(dir);
    if (!running) throw new Misused(`No local account runs in ${dir}. Start it: local-account --dir ${values.dir}`);
    return console.log(environmentOf(running));
  }
  const account = await startAccount({
    dir,
    port: port("port", values.port),
    apiPort: port("api-port", values["api-port"]),
    fresh: values.fresh,
    crons: !values["no-crons"],
    cpuLimit: !values["no-cpu-limit"],
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

/** Resolves at Ctrl-C, TERM or HUP. Miniflare's own listeners would end the process before the account is closed. */
function ended(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.removeAllListeners(signal);
      process.on(signal, () => resolve());
    }
  });
}

try {
  await main();
  process.exit(0);
} catch (error) {
  if (!(error instanceof Misused || error instanceof CannotStart)) throw error;
  console.error(error instanceof Misused ? `${error.message}\n\n${USAGE}` : error.message);
  process.exit(1);
}
