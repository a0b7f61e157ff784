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
  /** Whose Pulumi.<name>.yaml it has; `local` when not given. */
  readonly name?: string;
  /** A stack whose backend it shares, as the stacks of one project do. */
  readonly beside?: EngineStack;
  /** Over the config of Pulumi.<name>.yaml; a key without a namespace is the project's. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, string>>;
}

/** A stack in a temporary folder. */
export class EngineStack {
  readonly name: string;
  /** Written into the stack's file before an operation; both may be changed between operations. */
  config: Readonly<Record<string, unknown>>;
  secrets: Readonly<Record<string, string>>;
  /** The checkout whose program runs; this one at first. */
  root = ROOT;
  /** All that the CLI has printed in every operation. */
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
    // The CLI by way of a script that notes the process's id, which the Automation API keeps to itself.
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

  /** Kills the engine of the operation that began last, as the kernel does when memory is out. */
  kill(): void {
    process.kill(Number(readFileSync(join(this.#dir, "engine.pid"), "utf8")), "SIGKILL");
  }

  /** The engine's state file, as it is on disk. */
  get state(): string {
    return readFileSync(join(this.#shared, `backend/.pulumi/stacks/${projectName()}/${this.name}.json`), "utf8");
  }

  /** Takes the engine's state file away, as a backend that is lost does. */
  forget(): void {
    rmSync(join(this.#shared, `backend/.pulumi/stacks/durable-stack/${this.name}.json`));
  }

  /** The stack's settings, as the engine has written them. */
  get file(): string {
    return readFileSync(this.#file, "utf8");
  }

  /** Removes everything of the stack but what it has deployed. */
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
    // The program stays where it is, and so do the files that are relative to it.
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
      // Most of an operation's time goes into loading Pulumi's packages, here and in the plugin.
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

/** With the project's name in front of its keys: written both ways, a key would be there twice. */
const ofProject = <T>(config: Readonly<Record<string, T>> = {}): Record<string, T> =>
  Object.fromEntries(Object.entries(config).map(([key, value]) => [fullKey(projectName(), key), value]));
