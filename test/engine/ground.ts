/** What the real CLI runs with in a test: the stand-ins on the PATH, and a home and a backend of the test's own. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { projectName } from "../../infra/stack/project.ts";
import type { CommandOptions, ProjectCopy } from "../project-copy.ts";
import { installLanguageHost, installPlugin } from "./plugin/install.ts";
import { findPulumi } from "./pulumi-cli.ts";

export type Variables = Readonly<Record<string, string>>;

/** Where a backend of the CLI's own keeps a stack's state, be it a folder or a bucket. */
export const statePath = (stack: string): string => `.pulumi/stacks/${projectName()}/${stack}.json`;

export class Ground {
  readonly #dir = mkdtempSync(join(tmpdir(), "durable-stack-cli-"));
  /** The folder of the backend, which holds a state once a stack is made there. */
  readonly backend = this.folder("backend");
  /** What the CLI keeps for itself. */
  readonly home = this.folder("home");
  /** Of the backend's secrets. */
  readonly passphrase = "phrase";
  readonly #bin = this.folder("bin");
  readonly #env: Variables;

  private constructor(pulumi: string) {
    this.install("pulumi", pulumi);
    installLanguageHost(this.#bin);
    installPlugin(this.home);
    this.#env = {
      PULUMI_HOME: this.home,
      PULUMI_BACKEND_URL: this.backendUrl,
      PULUMI_CONFIG_PASSPHRASE: this.passphrase,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    };
  }

  /** Where the backend keeps a stack's state. */
  stateFile(stack: string): string {
    return join(this.backend, statePath(stack));
  }

  /** What the CLI takes for the backend. */
  get backendUrl(): string {
    return `file://${this.backend}`;
  }

  static async make(): Promise<Ground> {
    return new Ground(await findPulumi(console.error));
  }

  /** A new folder. */
  folder(name: string): string {
    const path = join(this.#dir, name);
    mkdirSync(path);
    return path;
  }

  /** Puts a program in front of all others. */
  install(name: string, file: string): void {
    symlinkSync(file, join(this.#bin, name));
  }

  /** What the CLI itself runs with, where it is called without a copy of the project. */
  get env(): NodeJS.ProcessEnv {
    const path = [this.#bin, dirname(process.execPath), process.env.PATH].join(delimiter);
    return { ...process.env, ...this.#env, PATH: path };
  }

  /** A command in a copy of the project, with the CLI on its PATH. */
  command(copy: ProjectCopy, command: string, more: Variables = {}): readonly [line: string, options: CommandOptions] {
    // Set in the command, because the copy puts its own programs in front of the PATH it gets.
    const path = [join(copy.root, "node_modules/.bin"), this.#bin, process.env.PATH].join(delimiter);
    return [`export PATH="${path}"; ${command}`, { env: { ...this.#env, ...more } }];
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
