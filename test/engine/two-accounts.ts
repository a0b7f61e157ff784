/**
 * Staging and production for a test: two local accounts and one state backend, in a copy of the project, driven by the
 * commands that a person or a CI job runs. The language host and the provider are stand-ins.
 */
import type { RunningAccount } from "@durable-stack/local-account";
import { projectName } from "../../infra/stack/project.ts";
import { defaultWorkerName } from "../../infra/stack/worker-name.ts";
import { setFaults, startChecked, TestAccount } from "../../packages/local-account/test/support.ts";
import { type Ended, ProjectCopy } from "../project-copy.ts";
import { sharesOf, versionId } from "../served.ts";
import { Ground, type Variables } from "./ground.ts";
import { pendingIn } from "./pending.ts";
import type { Place } from "./workflow.ts";

export const STACKS = ["staging", "production"] as const;
export type Stack = (typeof STACKS)[number];

export const ADMIN_TOKENS = {
  staging: "a-token-of-staging-0123456789",
  production: "a-token-of-production-0123456789",
} as const;

const workerOf = (stack: Stack) => defaultWorkerName(projectName(), stack);

export class TwoAccounts {
  readonly copy = new ProjectCopy();
  readonly #ground: Ground;
  readonly #accounts = new Map<Stack, RunningAccount>();

  private constructor(ground: Ground) {
    this.#ground = ground;
  }

  /** Starts both, and makes the project a repository with one commit and a stack in each account. */
  static async start(): Promise<TwoAccounts> {
    const two = new TwoAccounts(await Ground.make());
    for (const stack of STACKS) await two.#open(stack);
    two.copy.commit("v1");
    for (const stack of STACKS) await two.done(`pulumi stack init ${stack}`);
    return two;
  }

  async #open(stack: Stack): Promise<void> {
    const account = await startChecked({ dir: this.folder(stack), port: 0, apiPort: 0, onLog: () => {} });
    this.#accounts.set(stack, account);
    const own = [
      `  accountId: "${account.accountId}"`,
      `  cloudflare:baseUrl: ${account.apiUrl}`,
      `  cloudflare:apiToken: ${account.token}`,
      "  rolloutSteps: [{ percent: 0, smoke: true }, { percent: 100, smoke: true }]",
    ];
    const file = `Pulumi.${stack}.yaml`;
    // Smoke tests one after the other, from one address, are more than the rate limiter lets through.
    this.copy.replace(file, "capacity: 100,", "capacity: 10000,");
    const text = this.copy.read(file).replace("soakMinutes: 30", "soakMinutes: 60");
    this.copy.write(file, `${text}${own.join("\n")}\n`);
  }

  /** Where the state is, and the passphrase of its secrets. */
  get state(): { readonly url: string; readonly passphrase: string } {
    return { url: this.#ground.backendUrl, passphrase: this.#ground.passphrase };
  }

  /** A new folder beside the copy. */
  folder(name: string): string {
    return this.#ground.folder(name);
  }

  /** Puts a program in front of all others. */
  install(name: string, file: string): void {
    this.#ground.install(name, file);
  }

  /** A setting of production, as the CLI may have written it. */
  soak(minutes: number): void {
    const settings = this.copy.read("Pulumi.production.yaml");
    this.copy.write("Pulumi.production.yaml", settings.replace(/soakMinutes: "?\d+"?/, `soakMinutes: ${minutes}`));
  }

  run(command: string, more?: Variables): Promise<Ended> {
    return this.in(this.copy).run(command, more);
  }

  /** Another folder of the project, with the same programs and accounts. */
  in(copy: ProjectCopy): Place {
    return {
      run: (command, more) => copy.run(...this.#ground.command(copy, command, more)),
      start: (command, more) => {
        const [line, options] = this.#ground.command(copy, command, more);
        return copy.start(line, { ...options, detached: true });
      },
    };
  }

  /** Runs a command that must succeed. @throws Error with what it printed. */
  async done(command: string, more?: Variables): Promise<string> {
    const { code, text } = await this.run(command, more);
    if (code !== 0) throw new Error(`${command} ended with ${code}:\n${text}`);
    return text;
  }

  urlOf(stack: Stack): string {
    return `http://127.0.0.1:${this.#accounts.get(stack)?.port}/`;
  }

  up(stack: Stack): Promise<string> {
    return this.done(`npm run -s up -- --stack ${stack} --yes --skip-preview`, { ADMIN_TOKEN: ADMIN_TOKENS[stack] });
  }

  /** What `/health` answers; the status where it answers with an error. */
  async health(stack: Stack): Promise<unknown> {
    const response = await fetch(new URL("/health", this.urlOf(stack)));
    return response.ok ? response.json() : response.status;
  }

  /** What the account says of a stack's versions. */
  async versions(stack: Stack): Promise<string> {
    return JSON.stringify(await this.#account(stack).call("get", `/workers/scripts/${workerOf(stack)}/versions`));
  }

  /** How many operations of the CLI are under way on a stack; undefined where that is being written. */
  pending(stack: Stack): number | undefined {
    return pendingIn(this.#ground.stateFile(stack));
  }

  /** Makes calls of a stack's account fail, or late (packages/local-account/README.md), from now on. */
  setFaults(stack: Stack, ...faults: readonly string[]): Promise<void> {
    return setFaults(this.#accounts.get(stack) ?? { apiUrl: "", token: "" }, ...faults);
  }

  /** Sends all of a stack's traffic to a version by its number, like somebody in the dashboard. */
  move(stack: Stack, number: number): Promise<void> {
    return this.split(stack, { [number]: 100 });
  }

  /** Splits a stack's traffic among versions by their numbers, in per cent, as a rollout that was left does. */
  async split(stack: Stack, shares: Readonly<Record<number, number>>): Promise<void> {
    const [account, worker] = [this.#account(stack), workerOf(stack)];
    const byId: Record<string, number> = {};
    for (const [number, share] of Object.entries(shares)) {
      byId[await versionId(account, worker, Number(number))] = share;
    }
    await account.split(worker, byId, "?force=true");
  }

  /** The numbers of the versions that share a stack's traffic. */
  async serving(stack: Stack): Promise<readonly string[]> {
    return Object.keys(await sharesOf(this.#account(stack), workerOf(stack)));
  }

  #account(stack: Stack): TestAccount {
    const running = this.#accounts.get(stack);
    if (!running) throw new Error(`${stack} does not run`);
    return new TestAccount(running);
  }

  async close(): Promise<void> {
    for (const account of this.#accounts.values()) await account.close();
    this.copy.remove();
    this.#ground.remove();
  }
}
