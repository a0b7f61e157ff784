/**
 * A stack of the real program on the real engine, with a state of its own on disk. The language host and the provider are
 * stand-ins.
 */
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { parse, stringify } from "yaml";
import { ROOT } from "../../infra/release/root.ts";
import type { Account } from "../../infra/stack/account.ts";
import { fullKey, projectName } from "../../infra/stack/project.ts";
import { STACK_FILES } from "../stack-files.ts";
import { Ground } from "./ground.ts";
import { type Answer, type Command, type Operation, operate, pulumi } from "./operation.ts";

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
  /** The stack's folder. */
  readonly #dir: string;
  /** What the stacks of a backend share. */
  readonly #ground: Ground;
  /** Whether the ground goes with this stack. */
  readonly #isFirst: boolean;
  #engine: ChildProcess | undefined;
  /** The secrets that the stack's file holds. */
  #encrypted: string | undefined;

  private constructor(ground: Ground, { account, name = "local", beside, config, secrets }: StackOptions) {
    this.name = name;
    this.#dir = ground.folder(name);
    this.#ground = ground;
    this.#isFirst = beside === undefined;
    this.config = {
      "cloudflare:baseUrl": account.apiUrl,
      accountId: account.accountId,
      ...config,
    };
    this.secrets = { "cloudflare:apiToken": account.token, ...secrets };
  }

  static async create(options: StackOptions): Promise<EngineStack> {
    const { beside } = options;
    const stack = new EngineStack(beside ? beside.#ground : await Ground.make(), options);
    const file = `Pulumi.${stack.name}.yaml`;
    writeFileSync(stack.#file, STACK_FILES.get(file) ?? readFileSync(join(ROOT, file), "utf8"));
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
    this.#engine?.kill("SIGKILL");
  }

  /** The content of the engine's state file. */
  get state(): string {
    return readFileSync(this.#stateFile, "utf8");
  }

  /** What the last update put out, as a person sees it without `--show-secrets`. */
  get outputs(): Readonly<Record<string, unknown>> {
    const { resources = [] } = v.parse(State, JSON.parse(this.state)).checkpoint.latest;
    const { outputs = {} } = resources.find(({ type }) => type === "pulumi:pulumi:Stack") ?? {};
    return Object.fromEntries(
      Object.entries(outputs).map(([name, value]) => [name, isSecret(value) ? "[secret]" : value]),
    );
  }

  /** Removes the engine's state file, as if the backend was lost. */
  forget(): void {
    rmSync(this.#stateFile);
  }

  /** The stack's settings file, as the engine has written it. */
  get file(): string {
    return readFileSync(this.#file, "utf8");
  }

  /** Removes the stack's files. What it has deployed stays. */
  remove(): void {
    if (this.#isFirst) this.#ground.remove();
  }

  get #stateFile(): string {
    return this.#ground.stateFile(this.name);
  }

  get #file(): string {
    return join(this.#dir, `Pulumi.${this.name}.yaml`);
  }

  async #run(operation: Operation): Promise<Answer> {
    const { config, ...rest } = parse(this.file);
    writeFileSync(this.#file, stringify({ ...rest, config: { ...ofProject(config), ...ofProject(this.config) } }));
    const project = parse(readFileSync(join(ROOT, "Pulumi.yaml"), "utf8"));
    // The program stays in its checkout, because files are relative to it.
    writeFileSync(join(this.#dir, "Pulumi.yaml"), stringify({ ...project, main: join(this.root, project.main) }));
    if (!existsSync(this.#stateFile)) await this.#done(["stack", "init", this.name]);
    await this.#encrypt();
    const answer = await operate(operation, this.name, this.#command);
    this.printed += answer.printed;
    return answer;
  }

  /** Puts the secrets into the stack's file, where it does not have them. */
  async #encrypt(): Promise<void> {
    const secrets = Object.entries(ofProject(this.secrets)).flatMap(([key, value]) => ["--secret", `${key}=${value}`]);
    const wanted = JSON.stringify(secrets);
    if (this.#encrypted === wanted) return;
    await this.#done(["config", "set-all", "--stack", this.name, ...secrets]);
    this.#encrypted = wanted;
  }

  async #done(args: readonly string[]): Promise<void> {
    const { code, printed } = await pulumi(args, this.#command);
    this.printed += printed;
    if (code !== 0) throw new Error(`pulumi ${args.slice(0, 2).join(" ")} ended with ${code}: ${printed}`);
  }

  get #command(): Command {
    return {
      cwd: this.#dir,
      env: this.#ground.env,
      onStart: (child) => {
        this.#engine = child;
      },
    };
  }
}

/** As much of a state file as is read here. */
const State = v.object({
  checkpoint: v.object({
    latest: v.object({
      resources: v.optional(
        v.array(v.object({ type: v.string(), outputs: v.optional(v.record(v.string(), v.unknown())) })),
      ),
    }),
  }),
});

/** How the engine marks an encrypted value: `SecretSig` of pulumi/sdk/go/common/resource/sig. */
const isSecret = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "4dabf18193072939515e22adb298388d" in value;

/** Puts the project's name in front of the keys: a key written both ways would be there twice. */
function ofProject<T>(config: Readonly<Record<string, T>> = {}): Record<string, T> {
  const project = projectName();
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [fullKey(project, key), value]));
}
