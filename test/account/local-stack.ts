/** The stack `local` in an account and a folder of its own: commands run on it as a person runs them. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyHere } from "../../infra/apply/apply-here.ts";
import { projectName } from "../../infra/stack/project.ts";
import { changeSetting } from "../../infra/stack/settings-file.ts";
import { startChecked, TestAccount } from "../../packages/local-account/test/support.ts";
import { makeReleases, type Releases, type TestRelease } from "../releases.ts";
import { sharesOf, versionId, versionsOf } from "../served.ts";

export const WORKER = projectName();

/** What a command has printed, and its exit code. */
interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class LocalStack {
  readonly dir: string;
  /** The stack's file. */
  readonly settings: string;
  #parts: { readonly account: TestAccount; readonly releases: Releases } | undefined;

  /** `name`: of the folder, for people. */
  constructor(name: string) {
    this.dir = mkdtempSync(join(tmpdir(), `${name}-`));
    this.settings = join(this.dir, "Pulumi.local.yaml");
  }

  async start(): Promise<void> {
    const releases = await makeReleases();
    const running = await startChecked({ dir: this.dir, port: 0, apiPort: 0, defaultWorker: WORKER });
    this.#parts = { account: new TestAccount(running), releases };
  }

  async close(): Promise<void> {
    await this.#parts?.account.close();
    this.#parts?.releases.remove();
    rmSync(this.dir, { recursive: true, force: true });
  }

  get account(): TestAccount {
    return this.#started.account;
  }

  get releases(): Releases {
    return this.#started.releases;
  }

  get #started() {
    if (!this.#parts) throw new Error("the stack was not started");
    return this.#parts;
  }

  /** Runs a command, and nobody answers its question. */
  run(name: string, ...args: readonly string[]): Promise<Output> {
    return new Promise((resolve) => {
      const command = [`infra/commands/${name}.ts`, ...args, "--stack", "local", "--dir", this.dir];
      const child = execFile(process.execPath, command, (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr }),
      );
      child.stdin?.end();
    });
  }

  /** The same, with all that it printed in one text. */
  async told(name: string, ...args: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
    const { code, stdout, stderr } = await this.run(name, ...args);
    return { code, text: stdout + stderr };
  }

  /** Makes a release the one that the next update deploys. */
  choose(release: TestRelease): void {
    changeSetting(this.settings, "release", release.setting);
  }

  /** Deploys the release, else the one that the settings name, like `npm start`. Returns what it printed and changed. */
  async deploy(release?: TestRelease): Promise<{ said: string; changed: readonly string[] }> {
    if (release) this.choose(release);
    const { apiUrl, accountId, token } = this.account.running;
    const said: string[] = [];
    const { steps } = await applyHere(this.dir, { apiUrl, accountId, token }, (line) => said.push(line));
    const changed = steps.filter(({ action }) => action !== "unchanged").map(({ action, name }) => `${action} ${name}`);
    return { said: said.join("\n"), changed };
  }

  versions() {
    return versionsOf(this.account, WORKER);
  }

  /** The id of the version with this number. */
  idOf(number: number): Promise<string> {
    return versionId(this.account, WORKER, number);
  }

  /** The percentage of the traffic, by version number. */
  shares(): Promise<Record<string, number>> {
    return sharesOf(this.account, WORKER);
  }
}
