/** A stack of the engine and the local account that it deploys to, with a proxy between them. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunningAccount } from "@durable-stack/local-account";
import * as v from "valibot";
import { expect } from "vitest";
import { projectName } from "../../infra/stack/project.ts";
import { defaultWorkerName } from "../../infra/stack/worker-name.ts";
import { startChecked, TestAccount } from "../../packages/local-account/test/support.ts";
import type { Checkout } from "../checkouts.ts";
import type { Where } from "../kept.ts";
import { type ApiProxy, startProxy } from "../proxy.ts";
import { sharesOf, versionId, versionsOf } from "../served.ts";
import { EngineStack } from "./stack.ts";

/** An account behind a proxy, closed with the site that opened it. */
interface ProxiedAccount {
  readonly dir: string;
  readonly account: RunningAccount;
  readonly proxy: ApiProxy;
}

export interface SiteOptions {
  /** The stack's name; `local` by default. */
  readonly name?: string;
  /** Another site, to share its account and backend. */
  readonly beside?: Site;
  readonly config?: Readonly<Record<string, unknown>>;
}

/** A stack with nothing deployed yet. */
export class Site {
  readonly adminToken: string;
  readonly stack: EngineStack;
  readonly #proxied: ProxiedAccount;
  readonly #owner: boolean;

  private constructor(proxied: ProxiedAccount, owner: boolean, stack: EngineStack, adminToken: string) {
    this.#proxied = proxied;
    this.#owner = owner;
    this.stack = stack;
    this.adminToken = adminToken;
  }

  static async open({ name = "local", beside, config = {} }: SiteOptions = {}): Promise<Site> {
    const proxied = beside ? beside.#proxied : await begin();
    const adminToken = randomBytes(24).toString("hex");
    const { accountId, token } = proxied.account;
    const stack = await EngineStack.create({
      name,
      account: { apiUrl: proxied.proxy.apiUrl, accountId, token },
      secrets: { adminToken },
      ...(beside && { beside: beside.stack }),
    });
    const site = new Site(proxied, beside === undefined, stack, adminToken);
    site.set(config);
    return site;
  }

  get account(): RunningAccount {
    return this.#proxied.account;
  }

  get proxy(): ApiProxy {
    return this.#proxied.proxy;
  }

  /** The address of the account's first Worker, and its admin token. */
  get where(): Where {
    return { port: this.account.port, adminToken: this.adminToken };
  }

  /** The account without the proxy, for other clients. */
  get direct(): TestAccount {
    return new TestAccount(this.account);
  }

  /** The Worker's name, from the stack's file or by default. */
  get workerName(): string {
    return defaultWorkerName(projectName(), this.stack.name);
  }

  set(config: Readonly<Record<string, unknown>>): void {
    this.stack.config = { ...this.stack.config, ...config };
  }

  /** Updates the stack from a checkout. */
  deploy(checkout: Checkout) {
    this.stack.root = checkout.root;
    return this.stack.up();
  }

  /** Calls the account's first Worker. */
  async ask(method: string, path: string): Promise<Record<string, unknown>> {
    const response = await fetch(`http://127.0.0.1:${this.account.port}${path}`, { method });
    expect(response.ok, `${method} ${path} is answered ${response.status}`).toBe(true);
    return v.parse(v.record(v.string(), v.unknown()), await response.json());
  }

  /** Calls an object of a checkout's Worker, which counts its calls: `{ count, class, tag }`. */
  async call(className: string, object = "one"): Promise<Record<string, unknown>> {
    const answer = await this.direct.ask(this.workerName, `/${className}/${object}`);
    expect(answer.status, answer.text).toBe(200);
    return answer.json();
  }

  /** Classes of the Worker that have a namespace. */
  async classes(): Promise<readonly string[]> {
    const mine = `${this.workerName}/`;
    const all = Object.keys(await this.direct.namespaces());
    return all
      .filter((name) => name.startsWith(mine))
      .map((name) => name.slice(mine.length))
      .sort();
  }

  /** The newest deployment: the percentage of the traffic, by version number. */
  shares(): Promise<Readonly<Record<number, number>>> {
    return sharesOf(this.direct, this.workerName);
  }

  /** Sends all traffic to a version by its number, like somebody in the dashboard. */
  async moveTo(number: number): Promise<void> {
    const { direct, workerName } = this;
    await direct.split(workerName, { [await versionId(direct, workerName, number)]: 100 });
  }

  /** How many versions the Worker has. */
  async versions(): Promise<number> {
    return (await versionsOf(this.direct, this.workerName)).length;
  }

  async close(): Promise<void> {
    this.stack.remove();
    if (!this.#owner) return;
    const { dir, account, proxy } = this.#proxied;
    await proxy.close();
    await account.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function begin(): Promise<ProxiedAccount> {
  const dir = mkdtempSync(join(tmpdir(), "durable-stack-account-"));
  const account = await startChecked({ dir, port: 0, apiPort: 0 });
  return { dir, account, proxy: await startProxy(account.apiUrl) };
}
