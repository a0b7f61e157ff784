/**
 * The local account: Cloudflare's REST API for Workers and Durable Objects over workerd, on one machine.
 *
 * ```ts
 * const account = await startAccount({ dir: ".local", port: 0, apiPort: 0 });
 * const cloudflare = new Cloudflare({ baseURL: account.apiUrl, apiToken: account.token });
 * …
 * await account.close();
 * ```
 */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Account, refuseData, Unreadable } from "./account.ts";
import { ADDRESS_FILE } from "./address.ts";
import { api } from "./api/app.ts";
import type { Answer } from "./api/guards.ts";
import { ApiCalls, type Call } from "./api-calls.ts";
import { expireHourly } from "./bucket-expiry.ts";
import { Clockwork, fire } from "./clockwork.ts";
import { faultOfDisk } from "./disk.ts";
import { CannotStart } from "./errors.ts";
import { type Fault, Faults } from "./faults.ts";
import { frontDoor } from "./front-door.ts";
import { Invocations } from "./invocations.ts";
import type { Plan } from "./options.ts";
import { describe } from "./overruns.ts";
import { ASSETS_FOLDER, DATA_FOLDER, inFolder, ownFile, SNAPSHOT_MARK, STATE_FILE, STATE_LOG } from "./own-files.ts";
import { listen, restServer, stopOf } from "./servers.ts";
import type { WriteHook } from "./store.ts";
import { view } from "./view/view.ts";

export { DirectoryInUse } from "./account.ts";
export type { Answer } from "./api/guards.ts";
export type { Call } from "./api-calls.ts";
export { CannotStart } from "./errors.ts";
export { type Fault, parseFault } from "./faults.ts";
export type { Options, Plan } from "./options.ts";
export { PortInUse } from "./servers.ts";

export interface StartOptions {
  /** The folder of the state, absolute or relative to the working directory. Created if it does not exist. */
  readonly dir: string;
  /** Port of the front door of deployed Workers; 0 takes a free one. */
  readonly port: number;
  /** Port of the REST API; 0 takes a free one. */
  readonly apiPort: number;
  /** Deletes the account in `dir` and starts with an empty one. */
  readonly fresh?: boolean;
  /** The token of a new account; random by default. An existing account keeps its own. */
  readonly token?: string;
  /** The Worker that answers on `http://127.0.0.1:<port>/`; by default the first that was created. */
  readonly defaultWorker?: string;
  /** The plan: "free" has SQLite namespaces only, and lower limits (limits.ts); "paid" by default. */
  readonly plan?: Plan;
  /** Whether cron triggers fire by themselves; by default only on `POST /client/v4/local/cron`. */
  readonly crons?: boolean;
  /**
   * Whether a Worker that computes too long without a pause is ended (runtime/cpu-limit.ts), which is the default.
   * Without it, a Worker that loops stops the whole account.
   */
  readonly cpuLimit?: boolean;
  /**
   * Whether each Worker has an address of its own in workerd, past the front door, for load tests. It is another after
   * each deployment, and a Worker whose traffic is split has none. The account sees nothing of these Workers: it prints
   * no exceptions, `wrangler tail` gets no events, and no request that loops is named.
   */
  readonly direct?: boolean;
  /** Gets these addresses by the Workers' names, whenever they are others. By default the account prints them. */
  readonly onDirect?: (addresses: ReadonlyMap<string, string>) => void;
  /** Calls of the REST API that must fail (faults.ts). Set others later with `PUT /client/v4/local/faults`. */
  readonly faults?: readonly Fault[];
  /** Gets every call of the REST API once it is answered. */
  readonly onCall?: (call: Call) => void;
  /** Gets every answer of the REST API with its body, for tests of its shape. */
  readonly onAnswer?: (answer: Answer) => void;
  /** Gets every line that Workers log. By default the account prints it. */
  readonly onLog?: (line: string) => void;
  /** The source map of a module, by the sha256 of its contents, where none was uploaded with it. */
  readonly sourceMapOf?: (sha256: string) => Uint8Array | undefined;
  /** Called before and after every write to disk, for tests that kill the process there. */
  readonly onWrite?: WriteHook;
}

/** The addresses of an account. They are also in `<dir>/account.json` while it runs. */
export interface Address {
  /** Base of the REST API: `http://127.0.0.1:<apiPort>/client/v4`. */
  readonly apiUrl: string;
  readonly accountId: string;
  readonly token: string;
  readonly port: number;
  readonly apiPort: number;
  /** Workers answer on `http://<worker>.<subdomain>.localhost:<port>/`. */
  readonly subdomain: string;
  readonly pid: number;
}

export interface RunningAccount extends Address {
  /** The address of a Worker on the account's subdomain. */
  readonly addressOf: (worker: string) => string;
  /** Stops serving, writes nothing more, and leaves the state in `dir`. Later calls wait for the same. */
  readonly close: () => Promise<void>;
}

/** Starts the account of `dir`, or creates one. Resolves when its Workers and its API answer. */
export async function startAccount(options: StartOptions): Promise<RunningAccount> {
  const dir = path.resolve(options.dir);
  if (options.fresh) forget(dir);
  const account = await Account.open({
    ...options,
    dir,
    plan: options.plan ?? "paid",
    onDirect: options.direct ? (options.onDirect ?? printDirect) : undefined,
    ...(options.cpuLimit !== undefined && { hasCpuLimit: options.cpuLimit }),
    onException: (text) => console.error(text),
    onOverrun: (overrun) => console.error(describe(overrun)),
  });
  const stops: (() => Promise<void>)[] = [];
  const clockwork = new Clockwork({
    workers: () => account.state.workers.values(),
    fire: (worker, cron, at) => fire(account, worker, cron, at),
    onProblem: console.error,
  });
  if (options.crons) clockwork.start();
  const expiry = options.crons ? expireHourly(account, console.error) : undefined;
  const end = async () => {
    clockwork.stop();
    expiry?.stop();
    removeAddress(dir);
    account.tails.closeAll();
    await Promise.all(stops.map((stop) => stop()));
    await account.close();
  };
  let ended: Promise<void> | undefined;
  const close = () => {
    ended ??= end();
    return ended;
  };
  try {
    // From now on it is an account, whatever it was before.
    rmSync(path.join(dir, SNAPSHOT_MARK), { force: true });
    const invocations = new Invocations();
    const door = frontDoor({
      account,
      invocations,
      defaultWorker: options.defaultWorker,
    });
    stops.push(stopOf(door));
    const port = await listen(door, options.port, "--port");
    const addressOf = (worker: string) => `http://${worker}.${account.identity.subdomain}.localhost:${port}`;
    const context = { account, dir, addressOf, invocations, calls: new ApiCalls(options.onCall) };
    const page = view({ ...context, firesCrons: options.crons ?? false });
    const rest = restServer(api(context, new Faults(options.faults), options.onAnswer), page, account);
    stops.push(stopOf(rest));
    const apiPort = await listen(rest, options.apiPort, "--api-port");
    const { accountId, token, subdomain } = account.identity;
    const address = {
      apiUrl: `http://127.0.0.1:${apiPort}/client/v4`,
      accountId,
      token,
      port,
      apiPort,
      subdomain,
      pid: process.pid,
    };
    writeAddress(dir, address);
    return { ...address, addressOf, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @throws CannotStart if the disk does not let it. */
function writeAddress(dir: string, address: Address): void {
  const file = path.join(dir, ADDRESS_FILE);
  try {
    ownFile(file);
    writeFileSync(file, `${JSON.stringify(address, null, 2)}\n`);
  } catch (error) {
    const fault = faultOfDisk(error);
    throw fault === undefined
      ? error
      : new CannotStart(`${file} cannot be written (${fault}). Make room there, or choose another --dir.`);
  }
}

/** What is there and is no file, the account has not written, nor could it start there. */
function removeAddress(dir: string): void {
  try {
    rmSync(path.join(dir, ADDRESS_FILE), { force: true });
  } catch (error) {
    if (faultOfDisk(error) === undefined) throw error;
  }
}

function printDirect(addresses: ReadonlyMap<string, string>): void {
  for (const [worker, url] of addresses) console.error(`direct    ${worker} is at ${url}/ until the next deployment`);
}

/**
 * Removes an account's own files from its directory. Other files stay.
 * @throws CannotStart where an account runs there, is starting or is ending, or where there is data of no account.
 */
export function forget(dir: string): void {
  if (!existsSync(path.join(dir, STATE_FILE))) {
    refuseData(dir);
    return;
  }
  try {
    Account.lock(dir).close();
  } catch (error) {
    // Nobody can have this one open.
    if (!(error instanceof Unreadable)) throw error;
  }
  inFolder(dir, () => {
    // The state, by which an account is known, goes last: if this is killed, what is left can be forgotten again.
    for (const name of [
      ADDRESS_FILE,
      SNAPSHOT_MARK,
      DATA_FOLDER,
      ASSETS_FOLDER,
      `${STATE_FILE}-shm`,
      STATE_LOG,
      STATE_FILE,
    ])
      rmSync(path.join(dir, name), { recursive: true, force: true });
  });
}
