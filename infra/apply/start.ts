/** The main job: builds the release, starts the local account, applies the program to it, says where it answers. */
import { existsSync, realpathSync } from "node:fs";
import { isAbsolute, join, relative } from "node:path";
import type { Options } from "@durable-stack/local-account";
import { CannotStart, DirectoryInUse, forget, type RunningAccount, startAccount } from "@durable-stack/local-account";
import { runningAccount } from "@durable-stack/local-account/address";
import * as v from "valibot";
import { patterns } from "../../worker/patterns.ts";
import { readIfThere, removeNamed, writeNamed } from "../common/named-file.ts";
import { UserError } from "../common/user-error.ts";
import { buildRelease } from "../release/build.ts";
import { kib, shortDigest, sizeOf } from "../release/manifest.ts";
import { ROOT } from "../release/root.ts";
import { sourceMapOf } from "../release/source-map.ts";
import { type Account, localAccount } from "../stack/account.ts";
import { LOCAL } from "../stack/project.ts";
import { CLI_FOLDER, settingsFile } from "../stack/settings-file.ts";
import type { ApplyResult } from "./apply.ts";
import { applyHere } from "./apply-here.ts";
import { ELSEWHERE, STARTED_FROM_FILE } from "./folders.ts";
import { apiHere, folderWord } from "./hints.ts";
import { STATE_FILE } from "./state.ts";

const Outputs = v.object({ urls: v.object({ api: v.string(), page: v.string(), openapi: v.string() }) });

/**
 * Resolves once the patterns answer.
 * @throws Error when the release does not build, a port is in use, or the apply was refused; what was deployed before stays.
 */
export async function start(options: Options, signal: AbortSignal): Promise<RunningAccount> {
  const account = startHere(options);
  try {
    const deployed = await deploy(options, account, signal);
    const running = await account;
    writeNamed(join(options.dir, STARTED_FROM_FILE), `${ROOT}\n`);
    announce(options, running, deployed);
    return running;
  } catch (error) {
    await account.then((running) => running.close()).catch(() => {});
    throw error;
  }
}

/** Starts the account alone. @throws UserError where its folder or one of its ports is in use. */
export async function startHere(options: Options): Promise<RunningAccount> {
  const { dir, fresh } = options;
  try {
    if (fresh) {
      // It knows best whether it may go: one that is starting, or ending, has no address to be found by.
      forget(dir);
      // These belong to the account and go with it: its settings, such as a pin to a version, and the CLI's backend.
      removeNamed(settingsFile(LOCAL, dir));
      removeNamed(join(dir, CLI_FOLDER));
    }
    return await startAccount({ ...options, fresh: false, sourceMapOf: (sha256) => sourceMapOf(sha256) });
  } catch (cause) {
    throw cause instanceof CannotStart ? new UserError(`${cause.message}${instead(dir, cause)}`, { cause }) : cause;
  }
}

/** What somebody may have wanted who starts an account where one runs. */
const instead = (dir: string, cause: CannotStart): string =>
  cause instanceof DirectoryInUse && runningAccount(dir)
    ? ` To deploy to it as it runs: npm start -- --into ${folderWord(dir)}`
    : "";

interface IntoOptions extends Pick<Options, "json"> {
  /** Where the state is kept. By default with the account, or in this checkout if another one started the account. */
  readonly state: string | undefined;
}

/**
 * Deploys to an account that runs already, this project's or another's, which goes on running.
 * @throws Error when none runs there, the release does not build, or the apply was refused; what was deployed before stays.
 */
export async function startInto(folder: string, options: IntoOptions, signal: AbortSignal): Promise<void> {
  const account = localAccount(folder);
  if (
    options.state !== undefined &&
    options.state !== folder &&
    isOurs(folder) &&
    existsSync(join(folder, STATE_FILE))
  ) {
    throw new UserError(
      `${folderWord(folder)} has this project's state of its account. With another in --dir ${folderWord(options.state)} the Worker would get another admin token. Leave --dir out: npm start -- --into ${folderWord(folder)}`,
    );
  }
  const dir = options.state ?? (isOurs(folder) ? folder : join(ELSEWHERE, account.accountId));
  const { adminToken, outputs, summary } = await deploy({ ...options, dir }, Promise.resolve(account), signal);
  const { urls } = v.parse(Outputs, outputs);
  if (options.json) console.log(JSON.stringify({ urls, ...account, adminToken }));
  else {
    const api = apiHere(urls.api, runningAccount(folder)?.port);
    console.log(`\nDeployed ${summary}.\n\n  API          ${api}\n  Admin token  ${adminToken}`);
  }
}

/** Whether this checkout keeps its state with the account: it started the account, or it has the folder and nobody did. */
function isOurs(folder: string): boolean {
  const file = join(folder, STARTED_FROM_FILE);
  const starter = readIfThere(file);
  if (starter !== undefined) return starter.trim() === ROOT;
  const path = relative(ROOT, realpathSync(folder));
  return !path.startsWith("..") && !isAbsolute(path);
}

interface Deployed {
  readonly outputs: ApplyResult["outputs"];
  readonly adminToken: string;
  /** `in 2.1 s; 3 of 5 resources changed`. */
  readonly summary: string;
}

/** Builds the release and applies the program, and says what it does. The account may still be starting. */
async function deploy(
  options: Pick<Options, "dir" | "json">,
  account: Promise<Account>,
  signal: AbortSignal,
): Promise<Deployed> {
  const say = options.json ? () => {} : (line: string) => console.log(line);
  const began = performance.now();
  const built = buildRelease().then((release) => {
    const { digest, migration } = release.manifest;
    say(`release   ${shortDigest(digest)}, ${kib(sizeOf(release.manifest), 0)}, step ${migration.step}`);
    return digest;
  });
  // Whichever fails first is the one to tell; the other is not left unhandled.
  const ready = Promise.all([account, built]).then(([running]) => {
    say(`account   ${running.apiUrl}`);
    return running;
  });
  const { adminToken, outputs, steps } = await applyHere(options.dir, ready, say, signal);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const changed = steps.filter(({ action }) => action !== "unchanged").length;
  const what = changed === 0 ? "nothing had changed" : `${changed} of ${steps.length} resources changed`;
  // Of a stack that is pinned, or whose rollout is 0, the warnings say why.
  const digest = await built;
  const idle = outputs.digest === digest ? "" : `; release ${shortDigest(digest)} gets no traffic, see above`;
  return { outputs, adminToken, summary: `in ${seconds} s; ${what}${idle}` };
}

function announce(options: Options, running: RunningAccount, { outputs, adminToken, summary }: Deployed): void {
  const { urls } = v.parse(Outputs, outputs);
  const { apiUrl, accountId, token, port } = running;
  if (options.json) {
    console.log(JSON.stringify({ urls, apiUrl, accountId, token, adminToken, port }));
    return;
  }
  console.log(`\nReady ${summary}.\n`);
  // Behind the # nothing is sent: the page takes the token from there.
  console.log(`  Demo page    http://127.0.0.1:${port}/#admin=${adminToken}`);
  console.log(`  API          ${apiHere(urls.api, port)}`);
  console.log(`  OpenAPI      http://127.0.0.1:${port}/openapi.json`);
  console.log(`  Cloudflare   ${apiUrl}`);
  console.log(`  Patterns     ${patterns.map(({ path }) => path).join(" ")}`);
  console.log(`  Admin token  ${adminToken}`);
  console.log("\nCtrl-C stops it; the data is kept.");
}
