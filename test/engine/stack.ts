/** A stack of the real program on the real engine, with a state of its own on disk and the stand-in provider. */
import { fork } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import type { Account } from "../../infra/account.ts";
import { ROOT } from "../../infra/release/root.ts";
import type { Answer, Job } from "./operation.ts";
import { installPlugin } from "./plugin/install.ts";
import { findPulumi } from "./pulumi-cli.ts";

export interface StackOptions {
  readonly account: Account;
  /** Over the config of Pulumi.<stack>.yaml. */
  readonly config?: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, string>>;
}

/** A stack named `local` in a temporary folder. Its operations run one after the other. */
export class EngineStack {
  /** Over the config of the stack's file, by full key; both may be changed between operations. */
  config: Readonly<Record<string, string>>;
  secrets: Readonly<Record<string, string>>;
  readonly #dir: string;

  private constructor(dir: string, { account, config = {}, secrets = {} }: StackOptions) {
    this.#dir = dir;
    this.config = {
      "cloudflare:baseUrl": account.apiUrl,
      "durable-stack:accountId": account.accountId,
      ...config,
    };
    this.secrets = { "cloudflare:apiToken": account.token, ...secrets };
  }

  static async create(options: StackOptions): Promise<EngineStack> {
    const cli = await findPulumi(console.error);
    const dir = mkdtempSync(join(tmpdir(), "durable-stack-engine-"));
    for (const name of ["home", "backend", "project", "bin"]) mkdirSync(join(dir, name));
    // The CLI by way of a script that notes the process's id, which the Automation API keeps to itself.
    const script = `#!/bin/sh\necho $$ > '${join(dir, "engine.pid")}'\nexec '${cli}' "$@"\n`;
    writeFileSync(join(dir, "bin", "pulumi"), script, { mode: 0o755 });
    installPlugin(join(dir, "home"));
    const project = parse(readFileSync(join(ROOT, "Pulumi.yaml"), "utf8"));
    // The program stays where it is, and so do the files that are relative to it.
    writeFileSync(join(dir, "project", "Pulumi.yaml"), stringify({ ...project, main: join(ROOT, project.main) }));
    cpSync(join(ROOT, "Pulumi.local.yaml"), join(dir, "project", "Pulumi.local.yaml"));
    return new EngineStack(dir, options);
  }

  up = () => this.#run("up");
  preview = () => this.#run("preview");
  refresh = () => this.#run("refresh");
  destroy = () => this.#run("destroy");
  /** Clears the lock that a killed engine has left. */
  cancel = () => this.#run("cancel");

  /** Kills the engine of the operation that runs, as the kernel does when memory is out. */
  kill(): void {
    process.kill(Number(readFileSync(join(this.#dir, "engine.pid"), "utf8")), "SIGKILL");
  }

  /** The engine's state file, as it is on disk. */
  get state(): string {
    return readFileSync(join(this.#dir, "backend/.pulumi/stacks/durable-stack/local.json"), "utf8");
  }

  /** Removes everything of the stack but what it has deployed. */
  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #run(operation: Job["operation"]): Promise<Answer> {
    const entry =
      (secret: boolean) =>
      ([key, value]: [string, string]) =>
        [key, { value, secret }] as const;
    const job: Job = {
      operation,
      stack: "local",
      project: join(this.#dir, "project"),
      program: join(ROOT, "infra/index.ts"),
      cli: this.#dir,
      config: Object.fromEntries([
        ...Object.entries(this.config).map(entry(false)),
        ...Object.entries(this.secrets).map(entry(true)),
      ]),
      env: {
        PULUMI_HOME: join(this.#dir, "home"),
        PULUMI_BACKEND_URL: `file://${join(this.#dir, "backend")}`,
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
    child.once("message", (answer: Answer) => resolve(answer));
    child.once("error", reject);
    child.once("close", (code, signal) => reject(new Error(`the operation ended early (${signal ?? code})`)));
    child.send(job);
    return promise;
  }
}
