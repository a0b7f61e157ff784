/** `npm run destroy` says what would be lost and what prevents it. It runs `pulumi destroy` only if nothing does. */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { destroyPlan } from "../../infra/plan/destroy-plan.ts";
import { ROOT } from "../../infra/release/root.ts";
import { projectName } from "../../infra/stack/project.ts";
import { defaultWorkerName } from "../../infra/stack/worker-name.ts";
import { account, live, type TestAccount, temporaryDirectory } from "../../packages/local-account/test/support.ts";
import { startProxy } from "../proxy.ts";

const NAME = defaultWorkerName(projectName(), "staging");

/** A Worker with one object, a KV namespace and a bucket; and a fake `pulumi` with their state, which logs its calls. */
class Bench {
  readonly #account: TestAccount;
  readonly #bin: string;
  /** What the state has: the Worker, the KV namespace and the bucket. */
  readonly resources: readonly object[];

  private constructor(own: TestAccount, bin: string, resources: readonly object[]) {
    this.#account = own;
    this.#bin = bin;
    this.resources = resources;
  }

  /** `isFull`: whether the account has them. */
  static async open(isFull = true): Promise<Bench> {
    const own = await account();
    if (!isFull) return new Bench(own, temporaryDirectory(), []);
    await own.deploy(NAME, { classes: ["Visits"], bound: ["Visits"], exports: live("Visits") });
    expect((await own.ask(NAME, "/Visits/one")).status).toBe(200);
    const [worker] = (await own.sdk.workers.beta.workers.list({ account_id: own.id })).result;
    const kv = await own.sdk.kv.namespaces.create({ account_id: own.id, title: `${NAME}-reads` });
    await own.call("post", "/r2/buckets", { name: `${NAME}-blobs` });
    const urn = (type: string, name: string) =>
      `urn:pulumi:staging::${projectName()}::cloudflare:index/x:${type}::${name}`;
    return new Bench(own, temporaryDirectory(), [
      { urn: urn("Worker", "worker"), id: worker?.id, outputs: { name: NAME } },
      { urn: urn("WorkersKvNamespace", "reads"), id: kv.id, outputs: { title: kv.title } },
      { urn: urn("R2Bucket", "blobs"), id: `${NAME}-blobs`, outputs: { name: `${NAME}-blobs` } },
    ]);
  }

  /** Deploys another Worker to the account. */
  async beside(...given: Parameters<TestAccount["deploy"]>): Promise<void> {
    await this.#account.deploy(...given);
  }

  get apiUrl(): string {
    return this.#account.running.apiUrl;
  }

  get accountId(): string {
    return this.#account.id;
  }

  async put(key: string): Promise<void> {
    const { apiUrl, accountId, token } = this.#account.running;
    const url = `${apiUrl}/accounts/${accountId}/r2/buckets/${NAME}-blobs/objects/${key}`;
    const answer = await fetch(url, { method: "PUT", headers: { authorization: `Bearer ${token}` }, body: "kept" });
    expect(answer.ok).toBe(true);
  }

  /** Runs the command. `calls`: the calls of the fake CLI. */
  async destroy({
    protect = false,
    resources = this.resources,
    options = ["--yes"],
    apiUrl = this.#account.running.apiUrl,
  } = {}) {
    const state = join(this.#bin, "state.json");
    const calls = join(this.#bin, "calls");
    writeFileSync(calls, "");
    writeFileSync(state, JSON.stringify({ deployment: { resources: resources.map((one) => ({ ...one, protect })) } }));
    const cli = `#!/bin/sh\necho "$*" >> '${calls}'\n[ "$2" = export ] && cat '${state}'\nexit 0\n`;
    writeFileSync(join(this.#bin, "pulumi"), cli, { mode: 0o755 });
    const { accountId, token } = this.#account.running;
    const child = spawn(process.execPath, ["infra/commands/destroy.ts", "--stack", "staging", ...options], {
      cwd: ROOT,
      env: {
        ...process.env,
        PATH: `${this.#bin}${delimiter}${process.env.PATH}`,
        CLOUDFLARE_BASE_URL: apiUrl,
        CLOUDFLARE_ACCOUNT_ID: accountId,
        CLOUDFLARE_API_TOKEN: token,
      },
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += String(chunk)));
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    return { code, text, calls: readFileSync(calls, "utf8").trim().split("\n") };
  }
}

const EXPORT = "stack export --stack staging";

describe("the destruction of a stack", () => {
  it("is refused with all reasons at once, and nothing is sent", async () => {
    const bench = await Bench.open();
    await bench.put("kept");
    const { code, text, calls } = await bench.destroy({ protect: true });
    expect(text).toContain(`the Worker ${NAME}, with its versions and addresses`);
    expect(text).toContain("class Visits: 1 object with data");
    expect(text).toContain(`bucket ${NAME}-blobs, with what is in it`);
    expect(text).toMatch(/Nothing was deleted[\s\S]*worker, reads, blobs: protected[\s\S]*-blobs is not empty/);
    expect({ code, calls }).toEqual({ code: 1, calls: [EXPORT] });
  });

  it("is refused while another Worker binds to its classes, or to the Worker itself", async () => {
    const bench = await Bench.open();
    await bench.beside("reader", { bound: [{ class: "Visits", worker: NAME }] });
    await bench.beside("caller", { bindings: [{ type: "service", name: "SITE", service: NAME }] });
    const { code, text, calls } = await bench.destroy();
    expect(text).toMatch(/Nothing was deleted[\s\S]*other Workers bind to it: caller, reader\./);
    expect({ code, calls }).toEqual({ code: 1, calls: [EXPORT] });
  });

  it("is refused while another Worker waits for a class of it", async () => {
    const bench = await Bench.open();
    const exports = {
      Visits: { type: "durable-object", state: "expecting-transfer", storage: "sqlite", transfer_from: NAME },
    };
    await bench.beside("receiver", { classes: ["Visits"], exports });
    const { code, text, calls } = await bench.destroy();
    expect(text).toMatch(/Nothing was deleted[\s\S]*class Visits: the Worker receiver waits to receive it/);
    expect({ code, calls }).toEqual({ code: 1, calls: [EXPORT] });
  });

  it("asks, and runs if nothing prevents it", async () => {
    const bench = await Bench.open();
    const unasked = await bench.destroy({ options: [] });
    expect(unasked.text).toContain("Add --yes");
    expect(unasked.calls).toEqual([EXPORT]);
    const { code, calls } = await bench.destroy();
    expect({ code, calls }).toEqual({
      code: 0,
      calls: [EXPORT, "destroy --stack staging --yes --skip-preview"],
    });
  });

  it("names the classes also where their namespaces cannot be listed", async () => {
    const bench = await Bench.open();
    const proxy = await startProxy(bench.apiUrl);
    onTestFinished(() => proxy.close());
    proxy.intervene = ({ path }) => (path.includes("/durable_objects/namespaces") ? "forbid" : undefined);
    const { text } = await bench.destroy({ options: [], apiUrl: proxy.apiUrl });
    expect(text).toContain("class Visits: all its objects (they cannot be counted from here)");
  });

  it("is refused if the state lost the storage, because that would stay", async () => {
    const bench = await Bench.open();
    await bench.put("kept");
    const resources = bench.resources.slice(0, 1);
    const { code, text, calls } = await bench.destroy({ resources });
    expect(text).toMatch(
      /KV namespace \S+-reads is in the account and not in the state.* npm run recover -- --stack staging/,
    );
    expect(text).toMatch(/bucket \S+-blobs is in the account and not in the state/);
    expect({ code, calls }).toEqual({ code: 1, calls: [EXPORT] });
  });

  it("asks about what the state alone has: all that would be deleted, as a route is, and no version, which stays", async () => {
    const bench = await Bench.open(false);
    const urn = (type: string, name: string) => `urn:pulumi:staging::${projectName()}::${type}::${name}`;
    const within = (type: string) => `durable-stack:index:DurableWorker$cloudflare:index/${type}`;
    const rest = [
      { urn: urn("pulumi:pulumi:Stack", "it"), outputs: {} },
      { urn: urn("pulumi:providers:cloudflare", "default"), id: "p", outputs: { version: "6.0.0" } },
      { urn: urn("durable-stack:index:DurableWorker", "durable worker"), outputs: {} },
      {
        urn: urn(within("workerVersion:WorkerVersion"), "worker 1"),
        id: "v",
        retainOnDelete: true,
        outputs: { accountId: bench.accountId },
      },
    ];
    const route = { urn: urn(within("workersRoute:WorkersRoute"), "route a"), id: "r", outputs: { zoneId: "z" } };
    const { code, text, calls } = await bench.destroy({ resources: [...rest, route], options: [] });
    expect(text).toContain("Delete the 1 resource that its state has all the same: nobody is there to confirm it.");
    expect({ code, calls }).toEqual({ code: 1, calls: [EXPORT] });
    expect(await bench.destroy({ resources: rest, options: [] })).toMatchObject({ code: 0 });
  });

  it("is refused if the state was lost, because the Worker would stay", async () => {
    const bench = await Bench.open();
    const { code, text, calls } = await bench.destroy({ resources: [] });
    expect(text).toContain("npm run recover -- --stack staging");
    expect({ code, calls }).toEqual({ code: 1, calls: [EXPORT] });
  });
});

it("names resources whose content cannot be read, and says where the classes are not known", () => {
  const holdings = {
    stack: "staging",
    workerName: NAME,
    objects: new Map([["Visits", undefined]]),
    kv: undefined,
    bucket: { name: "blobs", isEmpty: undefined },
    storage: [
      { kind: "kv" as const, what: "KV namespace", name: "x-users", isEmpty: false },
      { kind: "r2" as const, what: "bucket", name: "x-files", isEmpty: false },
    ],
    notInState: [],
    boundBy: [],
    awaited: [],
    isProtected: [],
  };
  const { lost, obstacles } = destroyPlan(holdings);
  expect(lost).toContain("class Visits: all its objects (they cannot be counted from here)");
  expect(lost).toContain("KV namespace x-users, with what is in it");
  expect(obstacles).toEqual([
    expect.stringContaining("bucket blobs cannot be looked into"),
    expect.stringContaining("bucket x-files is not empty"),
  ]);
  expect(destroyPlan({ ...holdings, objects: undefined }).lost).toContain(
    "its classes, whichever it has, with all their objects (they cannot be listed from here)",
  );
});
