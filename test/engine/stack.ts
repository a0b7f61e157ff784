/** A stack of the real program on the real engine, with a state of its own on disk and the stand-in provider. */
import { fork } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { ROOT } from "../../infra/release/root.ts";
import type { Account } from "../../infra/stack/account.ts";
import { fullKey, projectName } from "../../infra/stack/project.ts";
import type { Answer, Job } from "./operation.ts";
import { installPlugin } from "./plugin/install.ts";
import { findPulumi } from "./pulumi-cli.ts";

export interface StackOptions {
  readonly account: Account;
  /** The name of its Pulumi.<name>.yaml; `local` by default. */
  readonly name?: string;
  /** Another stack, to share its backend, like the stacks of one project. */
  readonly beside?: EngineStack;
  /** Overrides the config of Pulumi.<name>.yaml. A key without a namespace is the project's. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, string>>;
}

/** A stack in a temporary folder. */
export class EngineStack {
  readonly name: string;
  /** Written into the stack's file before an operation. May be changed between operations. */
  config: Readonly<Record<string, unknown>>;
  secrets: Readonly<Record<string, string>>;
  /** The checkout whose program runs; this checkout at first. */
  root = ROOT;
  /** Everything that the CLI has printed, in all operations. */
  printed = "";
  readonly #dir: string;
  /** What the stacks of a backend share. */
  readonly #shared: string;

  private constructor(dir: string, shared: string, { account, name = "local", config, secrets }: StackOptions) {
    this.name = name;
    this.#dir = dir;
    this.#shared = shared;
    this.config = {
      "cloudflare:baseUrl": account.apiUrl,
      accountId: account.accountId,
      ...config,
    };
    this.secrets = { "cloudflare:apiToken": account.token, ...secrets };
  }

  static async create(options: StackOptions): Promise<EngineStack> {
    const cli = await findPulumi(console.error);
    const dir = mkdtempSync(join(tmpdir(), "durable-stack-engine-"));
    const shared = options.beside ? options.beside.#shared : dir;
    for (const name of ["home", "backend"]) mkdirSync(join(shared, name), { recursive: true });
    for (const name of ["project", "bin"]) mkdirSync(join(dir, name));
    // A script that runs the CLI and writes down its process id, which the Automation API does not give.
    const script = `#!/bin/sh\necho $$ > '${join(dir, "engine.pid")}'\nexec '${cli}' "$@"\n`;
    writeFileSync(join(dir, "bin", "pulumi"), script, { mode: 0o755 });
    installPlugin(join(shared, "home"));
    const stack = new EngineStack(dir, shared, options);
    cpSync(join(ROOT, `Pulumi.${stack.name}.yaml`), stack.#file);
    return stack;
  }

  up = () => this.#run("up");
  preview = () => this.#run("preview");
  refresh = () => this.#run("refresh");
  destroy = () => this.#run("destroy");
  /** Clears the lock that a killed engine has left. */
  cancel = () => this.#run("cancel");

  /** Kills the engine of the last operation, like the kernel when memory runs out. */
  kill(): void {
    process.kill(Number(readFileSync(join(this.#dir, "engine.pid"), "utf8")), "SIGKILL");
  }

  /** The content of the engine's state file. */
  get state(): string {
    return readFileSync(join(this.#shared, `backend/.pulumi/stacks/${projectName()}/${this.name}.json`), "utf8");
  }

  /** Removes the engine's state file, as if the backend was lost. */
  forget(): void {
    rmSync(join(this.#shared, `backend/.pulumi/stacks/durable-stack/${this.name}.json`));
  }

  /** The stack's settings file, as the engine has written it. */
  get file(): string {
    return readFileSync(this.#file, "utf8");
  }

  /** Removes the stack's files. What it has deployed stays. */
  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  get #file(): string {
    return join(this.#dir, "project", `Pulumi.${this.name}.yaml`);
  }

  #run(operation: Job["operation"]): Promise<Answer> {
    const { config, ...rest } = parse(this.file);
    writeFileSync(this.#file, stringify({ ...rest, config: { ...ofProject(config), ...ofProject(this.config) } }));
    const project = parse(readFileSync(join(ROOT, "Pulumi.yaml"), "utf8"));
    // The program stays in its checkout, because files are relative to it.
    writeFileSync(
      join(this.#dir, "project", "Pulumi.yaml"),
      stringify({ ...project, main: join(this.root, project.main) }),
    );
    const job: Job = {
      operation,
      stack: this.name,
      project: join(this.#dir, "project"),
      program: join(this.root, "infra/index.ts"),
      cli: this.#dir,
      secrets: ofProject(this.secrets),
      env: {
        PULUMI_HOME: join(this.#shared, "home"),
        PULUMI_BACKEND_URL: `file://${join(this.#shared, "backend")}`,
        PULUMI_CONFIG_PASSPHRASE: "test",
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      },
    };
    const child = fork(join(import.meta.dirname, "operation.ts"), {
      execArgv: [],
      // Loading Pulumi's packages takes most of an operation's time, here and in the plugin.
      env: { NODE_COMPILE_CACHE: join(ROOT, "node_modules/.cache/compiled"), ...process.env },
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    child.once("message", (answer: Answer) => {
      this.printed += answer.printed;
      resolve(answer);
    });
    child.once("error", reject);
    child.once("close", (code, signal) => reject(new Error(`the operation ended early (${signal ?? code})`)));
    child.send(job);
    return promise;
  }
}

/** Puts the project's name in front of the keys: a key written both ways would be there twice. */
const ofProject = <T>(config: Readonly<Record<string, T>> = {}): Record<string, T> =>
  Object.fromEntries(Object.entries(config).map(([key, value]) => [fullKey(projectName(), key), value]));
