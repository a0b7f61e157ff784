/** The apply in sequences against a local account: what it sends, what it keeps, and how it recovers. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunningAccount } from "@durable-stack/local-account";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ApplyFailed, type ApplyResult, applyProgram } from "../../infra/apply/apply.ts";
import { Api } from "../../infra/provider/api.ts";
import { startChecked } from "../../packages/local-account/test/support.ts";
import { type ApiProxy, startProxy } from "../proxy.ts";
import type { Shape } from "./program/shape.ts";

const PROGRAM = join(import.meta.dirname, "program");

/** An account behind a proxy. The program beside this file is applied to it in different shapes. */
class Bench {
  readonly dir: string;
  readonly account: RunningAccount;
  readonly proxy: ApiProxy;
  readonly lines: string[] = [];
  secret = randomBytes(16).toString("hex");

  private constructor(dir: string, account: RunningAccount, proxy: ApiProxy) {
    this.dir = dir;
    this.account = account;
    this.proxy = proxy;
  }

  static async open(): Promise<Bench> {
    const dir = mkdtempSync(join(tmpdir(), "durable-stack-apply-"));
    const account = await startChecked({ dir, port: 0, apiPort: 0 });
    return new Bench(dir, account, await startProxy(account.apiUrl));
  }

  apply(shape: Shape = {}, signal?: AbortSignal): Promise<ApplyResult> {
    const { accountId, token } = this.account;
    return applyProgram({
      dir: this.dir,
      root: PROGRAM,
      account: { apiUrl: this.proxy.apiUrl, accountId, token },
      config: { "shapes:shape": JSON.stringify(shape), "shapes:secret": this.secret },
      onLine: (line) => this.lines.push(line),
      ...(signal && { signal }),
    });
  }

  /** The account's answer to a GET below its own path. */
  async list(path: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const { apiUrl, accountId, token } = this.account;
    return await new Api({ baseUrl: apiUrl, token }).list(`/accounts/${accountId}${path}`);
  }

  /** What the deployed Worker answers. */
  async ask(): Promise<unknown> {
    return await (await fetch(`http://127.0.0.1:${this.account.port}/`)).json();
  }

  get state(): string {
    return readFileSync(join(this.dir, "stack.json"), "utf8");
  }

  async close(): Promise<void> {
    await this.proxy.close();
    await this.account.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Steps as `create worker`, without those that changed nothing. */
const changes = ({ steps }: ApplyResult) =>
  steps.filter(({ action }) => action !== "unchanged").map(({ action, name }) => `${action} ${name}`);

describe("one shape after the other", () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.open();
  });
  afterAll(() => bench?.close());

  it("the first apply creates everything after what it depends on, and it answers", async () => {
    const result = await bench.apply();
    const created = changes(result);
    expect(created.toSorted()).toEqual([
      "create bucket",
      "create cache",
      "create deployment",
      "create version",
      "create worker",
    ]);
    expect(created.slice(-2)).toEqual(["create version", "create deployment"]);
    expect(result.outputs).toMatchObject({ versionId: expect.any(String), secret: "[secret]" });
    expect(JSON.stringify(result.outputs)).not.toContain(bench.secret);
    expect(await bench.ask()).toEqual({ text: "one", label: "a_box", count: 1 });
  });

  it("the same again, with only an ignored property changed, sends only reads", async () => {
    bench.proxy.takeWrites();
    const result = await bench.apply({ deploy: false });
    expect(result.steps.map(({ action }) => action)).toEqual(Array(5).fill("unchanged"));
    expect(bench.proxy.takeWrites()).toEqual([]);
  });

  it("other code is a new version and a new deployment, over the same data", async () => {
    expect(changes(await bench.apply({ code: "two" }))).toEqual(["replace version", "replace deployment"]);
    expect(await bench.ask()).toEqual({ text: "two", label: "a_box", count: 2 });
    expect(await bench.list("/workers/workers/shapes/versions")).toHaveLength(2);
  });

  it("another secret is a new version too, and neither is in the state, the output or the lines", async () => {
    const before = bench.secret;
    bench.secret = randomBytes(16).toString("hex");
    const { steps, outputs } = await bench.apply({ code: "two" });
    expect(steps.filter(({ action }) => action === "replace").map(({ changed }) => changed)).toEqual([
      ["bindings"],
      ["versions"],
    ]);
    for (const text of [bench.state, bench.lines.join("\n"), JSON.stringify({ steps, outputs })]) {
      expect(text).not.toContain(before);
      expect(text).not.toContain(bench.secret);
      expect(text).not.toContain(bench.account.token);
    }
  });

  it("a property that can change in place does, under the same id", async () => {
    const [{ id } = {}] = await bench.list("/storage/kv/namespaces");
    const result = await bench.apply({ code: "two", title: "renamed" });
    expect(changes(result)).toEqual(["update cache"]);
    expect(result.steps.find(({ name }) => name === "cache")?.changed).toEqual(["title"]);
    expect(await bench.list("/storage/kv/namespaces")).toMatchObject([{ id, title: "renamed" }]);
  });

  it("repairs what somebody changed or deleted by hand", async () => {
    const shape = { code: "two", title: "renamed" } as const;
    const [namespace] = await bench.list("/storage/kv/namespaces");
    const { apiUrl, accountId, token } = bench.account;
    const path = `/accounts/${accountId}/storage/kv/namespaces/${namespace?.id}`;
    const api = new Api({ baseUrl: apiUrl, token });
    await api.put(path, { title: "by hand" });
    expect(changes(await bench.apply(shape))).toEqual(["update cache"]);
    await api.remove(path);
    expect(changes(await bench.apply(shape))).toEqual(["create cache"]);
    expect(await bench.list("/storage/kv/namespaces")).toMatchObject([{ title: "renamed" }]);
  });

  it("makes what somebody deleted by hand as the program says now, also where it leaves a change alone", async () => {
    const shape = { code: "two", title: "renamed", label: "said now" } as const;
    expect(changes(await bench.apply(shape))).toEqual([]);
    const { apiUrl, accountId, token } = bench.account;
    await new Api({ baseUrl: apiUrl, token }).remove(`/accounts/${accountId}/workers/scripts/shapes`);
    expect(changes(await bench.apply(shape))).toEqual(["create worker", "create version", "create deployment"]);
    const [version] = await bench.list("/workers/workers/shapes/versions");
    expect(version).toMatchObject({ annotations: { "workers/message": "said now" } });
    expect(await bench.ask()).toMatchObject({ text: "two", count: 1 });
  });

  it("routes, domains and cron triggers follow the deployment, and go with the zone", async () => {
    const zone = "example.com";
    const created = changes(await bench.apply({ code: "two", zone, title: "renamed" }));
    expect(created.toSorted()).toEqual(["create cron", "create domain", "create route"]);
    expect(await bench.list("/workers/domains")).toMatchObject([{ hostname: "x.example.com", service: "shapes" }]);
    const gone = changes(await bench.apply({ code: "two", title: "renamed" }));
    expect(gone.toSorted()).toEqual(["delete cron", "delete domain", "delete route"]);
    expect(await bench.list("/workers/domains")).toEqual([]);
  });

  it("a replacement that cannot exist beside the old resource deletes the old one first", async () => {
    bench.proxy.takeWrites();
    const shape = { code: "two", title: "renamed", bucket: "other" } as const;
    const replaced = ["replace bucket", "replace version", "replace deployment"];
    expect(changes(await bench.apply(shape))).toEqual(replaced);
    const writes = bench.proxy.takeWrites().map((write) => write.replace(/accounts\/\w+/, "accounts/:a"));
    expect(writes.slice(0, 2)).toEqual(["DELETE /accounts/:a/r2/buckets/bucket", "POST /accounts/:a/r2/buckets"]);
  });

  it("a protected resource is neither deleted nor replaced, and nothing else changes either", async () => {
    const shape = { code: "two", title: "renamed", bucket: "other" } as const;
    expect(changes(await bench.apply({ ...shape, protect: true }))).toEqual([]);
    bench.proxy.takeWrites();
    await expect(bench.apply({ ...shape, cache: false })).rejects.toThrow(/no longer declares cache.*protected/);
    expect(bench.proxy.takeWrites()).toEqual([]);
    await bench.apply(shape);
    expect(changes(await bench.apply({ ...shape, cache: false }))).toEqual(["delete cache"]);
    expect(await bench.list("/storage/kv/namespaces")).toEqual([]);
  });
});

describe("an apply that ends early", () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.open();
  });
  afterAll(() => bench?.close());

  it("killed after each of its requests in turn, the next apply finds what was created and completes it", async () => {
    const pidFile = join(bench.dir, "program.pid");
    const hit = new Set<string>();
    let killed = 0;
    bench.proxy.intervene = ({ method, path }) => {
      const kind = path.replace(/[0-9a-f-]{32,36}/g, ":id").replace(/\?.*/, "");
      if (method === "GET" || hit.has(kind)) return undefined;
      hit.add(kind);
      killed++;
      process.kill(Number(readFileSync(pidFile, "utf8")), "SIGKILL");
      return "lose";
    };
    for (;;) {
      const before = killed;
      const ended = await bench.apply({ pidFile }).then(
        () => true,
        (error) => error,
      );
      if (ended === true) break;
      expect(String(ended)).toMatch(/ended early \(SIGKILL\)/);
      expect(killed, "it was the test that ended it").toBeGreaterThan(before);
    }
    expect(killed).toBeGreaterThanOrEqual(5);
    expect(await bench.list("/storage/kv/namespaces")).toHaveLength(1);
    expect(await bench.list("/workers/workers")).toHaveLength(1);
    expect(await bench.ask()).toMatchObject({ text: "one" });
    bench.proxy.intervene = undefined;
    bench.proxy.takeWrites();
    expect(changes(await bench.apply())).toEqual([]);
    expect(bench.proxy.takeWrites()).toEqual([]);
  });

  it("refused in the middle, it leaves the deployed release serving, and the next apply completes it", async () => {
    bench.proxy.intervene = ({ method, path }) =>
      method === "POST" && path.includes("/deployments") ? "refuse" : undefined;
    const failed = bench.apply({ code: "two" });
    await expect(failed).rejects.toThrow(ApplyFailed);
    await expect(failed).rejects.toThrow(
      /^deployment \(cloudflare:index\/workersDeployment:WorkersDeployment\): POST .*\/deployments was answered 500: 10013 spoilt by the test$/,
    );
    bench.proxy.intervene = undefined;
    const versions = (await bench.list("/workers/workers/shapes/versions")).length;
    expect(changes(await bench.apply({ code: "two" }))).toEqual(["replace deployment"]);
    expect(await bench.ask()).toMatchObject({ text: "two" });
    expect(await bench.list("/workers/workers/shapes/versions")).toHaveLength(versions);
  });

  it("while one runs, another in the same folder is refused, and the first goes on", async () => {
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    bench.proxy.intervene = async ({ method }) => {
      if (method === "GET") return undefined;
      reach();
      await released;
      return undefined;
    };
    const first = bench.apply({ code: "two", title: "other" });
    await reached;
    await expect(bench.apply({ code: "two" })).rejects.toThrow(/^Another apply is running in /);
    release();
    expect(changes(await first)).toEqual(["update cache"]);
    bench.proxy.intervene = undefined;
  });

  it("interrupted, it finishes and records the requests that are under way, and begins no more", async () => {
    await bench.apply({ code: "two", title: "other" });
    const controller = new AbortController();
    bench.proxy.intervene = ({ method }) => {
      if (method !== "GET") controller.abort();
      return undefined;
    };
    const interrupted = bench.apply({ code: "one", title: "last" }, controller.signal);
    await expect(interrupted).rejects.toThrow("The apply was interrupted. Run it again to complete it.");
    bench.proxy.intervene = undefined;
    const completed = changes(await bench.apply({ code: "one", title: "last" }));
    expect(completed).toContain("replace deployment");
  });

  it("interrupted while it deletes, it says so, and the next apply deletes the rest", async () => {
    const shape = { code: "one", title: "last" } as const;
    await bench.apply({ ...shape, zone: "example.com" });
    const controller = new AbortController();
    bench.proxy.intervene = ({ method }) => {
      if (method === "DELETE") controller.abort();
      return undefined;
    };
    await expect(bench.apply(shape, controller.signal)).rejects.toThrow(
      "The apply was interrupted. Run it again to complete it.",
    );
    bench.proxy.intervene = undefined;
    const left = changes(await bench.apply(shape));
    expect(["delete cron", "delete domain", "delete route"]).toEqual(expect.arrayContaining(left));
    expect([1, 2]).toContain(left.length);
    expect(await bench.list("/workers/domains")).toEqual([]);
  });

  it("a user's mistake is shown as its message, a bug in the program with its place", async () => {
    await expect(bench.apply({ mistake: "for people" })).rejects.toThrow(/^The shape is wrong\.$/);
    await expect(bench.apply({ mistake: "of the program" })).rejects.toThrow(
      /^TypeError: shape\.sides is not iterable\n.*program\/index\.ts/,
    );
  });
});

it("an account that does not start is the error of the apply, at once", async () => {
  const dir = mkdtempSync(join(tmpdir(), "durable-stack-apply-"));
  const account = Promise.reject(new Error("Port 8788 is in use."));
  await expect(applyProgram({ dir, root: PROGRAM, account })).rejects.toThrow(/^Port 8788 is in use\.$/);
  rmSync(dir, { recursive: true, force: true });
});

describe("a project that cannot be read", () => {
  const dir = mkdtempSync(join(tmpdir(), "durable-stack-project-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const account = { apiUrl: "http://127.0.0.1:9/client/v4", accountId: "a", token: "t" };
  const apply = (root: string) => applyProgram({ dir: join(dir, "state"), root, account });

  it("is named with the reason, and nothing is begun", async () => {
    await expect(apply(dir)).rejects.toThrow(/Pulumi\.yaml cannot be read: .*ENOENT/);
    mkdirSync(join(dir, "odd"));
    writeFileSync(join(dir, "odd", "Pulumi.yaml"), "name: [odd]\n");
    await expect(apply(join(dir, "odd"))).rejects.toThrow(/odd\/Pulumi\.yaml is not what Pulumi takes: name: /);
    writeFileSync(join(dir, "odd", "Pulumi.yaml"), "name: odd\n");
    writeFileSync(join(dir, "odd", "Pulumi.local.yaml"), "config:\n  odd:key: { secure: v1:abc }\n");
    await expect(apply(join(dir, "odd"))).rejects.toThrow(
      /odd:key is encrypted, and only the Pulumi CLI can read that/,
    );
    expect(existsSync(join(dir, "state"))).toBe(false);
  });

  it("is one where a setting of its own is encrypted, though the secrets of others are left out", async () => {
    const root = mkdtempSync(join(dir, "secret-"));
    writeFileSync(join(root, "Pulumi.yaml"), "name: odd\n");
    const secret = "{ secure: v1:abc }";
    writeFileSync(join(root, "Pulumi.local.yaml"), `config:\n  my:key: ${secret}\n  regions: ${secret}\n`);
    const applied = applyProgram({ dir: join(dir, "state"), root, account, withoutEncrypted: true });
    await expect(applied).rejects.toThrow("Pulumi.local.yaml: odd:regions is encrypted");
    expect(existsSync(join(dir, "state"))).toBe(false);
  });
});
