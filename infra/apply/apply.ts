/**
 * Applies the Pulumi program to an account without the Pulumi CLI: the program runs in a process of its own under
 * Pulumi's mock monitor, and every resource goes through the REST API, in the order of their dependencies.
 *
 * A second apply of the same program only reads. One that failed, or was killed at any point, leaves what was deployed
 * serving, and the next one completes it. Two at once in one folder: the second is refused.
 */

import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { isUserError, UserError } from "../common/user-error.ts";
import { ROOT } from "../release/root.ts";
import type { Account } from "../stack/account.ts";
import { setOverVariable } from "../stack/placed.ts";
import { fullKey, LOCAL, ownFile, type Project, readProject } from "../stack/project.ts";
import { WITHOUT_TOKENS } from "./admin-token.ts";
import { folderWord } from "./hints.ts";
import type { Order, Report } from "./messages.ts";
import type { Step } from "./steps.ts";

interface ApplyOptions {
  /** The folder of the state: the account's. Settings in a Pulumi.<stack>.yaml there go over the project's. */
  readonly dir: string;
  /** May still be starting: the program's process loads meanwhile. */
  readonly account: Account | Promise<Account>;
  /** Config over that of the stack's file; a key without a namespace (`adminToken`) is the project's own. */
  readonly config?: Readonly<Record<string, string>>;
  /**
   * Whether encrypted keys that are none of the project's own (`my:stripeKey`) are left out, as on a stack that does not
   * set them: what is deployed is thrown away. When not given, they are refused.
   */
  readonly withoutEncrypted?: boolean;
  /** Keys of `config` whose values are secret. */
  readonly secretKeys?: readonly string[];
  /** `local` when not given. */
  readonly stack?: string;
  /** The folder of Pulumi.yaml; this project's when not given. */
  readonly root?: string;
  /** Looks at the project before its program runs. @throws UserError where it need not run. */
  readonly check?: (project: Project) => void;
  /** Told of every resource once it is done. */
  readonly onStep?: (step: Step) => void;
  /** Told of every line that the program prints. */
  readonly onLine?: (line: string) => void;
  /** Whether what the program prints may have colour: where it goes to a terminal that shows it. */
  readonly color?: boolean;
  /** Ends the apply in order: what is under way is finished and noted, nothing more is begun. */
  readonly signal?: AbortSignal;
}

export interface ApplyResult {
  /** The program's exports; secrets show as `[secret]`. */
  readonly outputs: Readonly<Record<string, unknown>>;
  /** Every resource, in the order in which they were done. */
  readonly steps: readonly Step[];
}

/** Why an apply ended early: every reason, a line each. What was done before is done, and noted. */
export class ApplyFailed extends UserError {
  override readonly name = "ApplyFailed";
}

/**
 * Applies the program, and returns what it exports.
 * @throws ApplyFailed when the program, its config or a resource was refused; run it again to complete it.
 */
export async function applyProgram(options: ApplyOptions): Promise<ApplyResult> {
  const { stack = LOCAL, onStep, onLine, signal } = options;
  // It may fail before anybody here waits for it.
  Promise.resolve(options.account).catch(() => {});
  const project = refusing(() => projectFor(stack, options));
  const child = programProcess(project, options);
  const interrupt = () => child.kill("SIGTERM");
  signal?.addEventListener("abort", interrupt, { once: true });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    forEachLine(stream, (line) => {
      lines.push(line);
      onLine?.(line);
    });
  }
  const steps: Step[] = [];
  try {
    const outputs = await converse(child, orderFor(stack, project, options), (step) => {
      steps.push(step);
      onStep?.(step);
    });
    return { outputs, steps };
  } catch (error) {
    // The process reported nothing: the last lines that it printed are all we know.
    if (error instanceof Unreported) throw new ApplyFailed([error.message, ...lines.slice(-20)].join("\n"));
    throw error;
  } finally {
    signal?.removeEventListener("abort", interrupt);
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
  }
}

/** The project with the stack's config. @throws UserError where its program need not run, or cannot. */
function projectFor(stack: string, options: ApplyOptions): Project {
  const { dir, root = ROOT, withoutEncrypted, check, onLine } = options;
  const file = ownFile(stack);
  const over = join(dir, file);
  const project = readProject(root, stack, over);
  const { overriddenKeys: hidden } = project;
  if (hidden.length > 0) onLine?.(`${folderWord(over)} goes over ${file} in: ${hidden.join(", ")}`);
  const isNeeded = (key: string) => !withoutEncrypted || key.startsWith(fullKey(project.name, ""));
  mustBeReadable(project, stack, { given: givenTo(project, options), isNeeded });
  check?.(project);
  return project;
}

/** The config over that of the files, by its full keys. */
const givenTo = ({ name }: Project, { config = {} }: ApplyOptions): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(config).map(([key, value]) => [fullKey(name, key), value]));

/** Starts a process that loads the program, and waits for its order. */
const programProcess = ({ setOver }: Project, { color }: ApplyOptions): ChildProcess =>
  fork(join(import.meta.dirname, "run.ts"), {
    execArgv: [],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    // Most of an apply's time goes into loading Pulumi's packages.
    env: {
      NODE_COMPILE_CACHE: join(ROOT, "node_modules/.cache/compiled"),
      ...process.env,
      ...WITHOUT_TOKENS,
      ...setOverVariable(setOver),
      ...(color && { FORCE_COLOR: "1" }),
    },
  });

/** What that process is told, once the account has started. */
async function orderFor(stack: string, project: Project, options: ApplyOptions): Promise<Order> {
  const { apiUrl, accountId, token } = await options.account;
  const own = (key: string) => fullKey(project.name, key);
  return {
    dir: options.dir,
    accountId,
    connection: { baseUrl: apiUrl, token },
    project: project.name,
    stack,
    folder: project.folder,
    config: {
      ...project.config,
      [own("accountId")]: accountId,
      "cloudflare:baseUrl": apiUrl,
      "cloudflare:apiToken": token,
      ...givenTo(project, options),
    },
    secretKeys: [...project.secretKeys, "cloudflare:apiToken", ...(options.secretKeys ?? []).map(own)],
  };
}

/** The process ended without a report. */
class Unreported extends Error {}

/** Gives the order once the process is ready for it, and returns the outputs that it reports. */
function converse(
  child: ChildProcess,
  order: Promise<Order>,
  onStep: (step: Step) => void,
): Promise<ApplyResult["outputs"]> {
  const { promise, resolve, reject } = Promise.withResolvers<ApplyResult["outputs"]>();
  // An account that cannot start is no reason to wait until the process is ready.
  order.catch(reject);
  child.on("message", (report: Report) => {
    if (report.kind === "ready") {
      order.then((ready) => child.send(ready, (error) => error && reject(error)), reject);
    } else if (report.kind === "step") {
      onStep(report.step);
    } else if (report.kind === "ended") {
      resolve(report.outputs);
    } else {
      reject(new ApplyFailed(report.message));
    }
  });
  child.once("error", reject);
  child.once("close", (code, signal) =>
    reject(new Unreported(`The program's process ended early (${signal ?? code}).`)),
  );
  return promise;
}

function forEachLine(stream: Readable | null, each: (line: string) => void): void {
  if (!stream) return;
  // Without an engine, Pulumi's log puts its source in front of each message. A person does not need it.
  createInterface({ input: stream }).on("line", (line) =>
    each(line.replace(/^info: /, "").replace(/^(warning: |error: )?\[runtime\] /, "$1")),
  );
}

/** What of the config an apply has without reading the files, and which keys it must have. */
interface Need {
  readonly given: Readonly<Record<string, string>>;
  readonly isNeeded: (key: string) => boolean;
}

/** @throws UserError naming every key of the project that an apply needs, cannot read, and is not given. */
function mustBeReadable(project: Project, stack: string, { given, isNeeded }: Need): void {
  const unknown = project.encryptedKeys.filter((key) => given[key] === undefined && isNeeded(key));
  if (unknown.length === 0) return;
  const files = new Set(unknown.map((key) => project.setOver.get(key) ?? ownFile(stack)));
  throw new UserError(
    `${[...files].join(" and ")}: ${unknown.join(", ")} ${unknown.length === 1 ? "is" : "are"} encrypted, and only the Pulumi CLI can read that. Give it in plain text, or use the CLI.`,
  );
}

function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw isUserError(cause) ? new ApplyFailed(cause.message, { cause }) : cause;
  }
}
