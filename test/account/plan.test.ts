/** `npm run migrations -- status|plan|import` and the guards of the program, in one sequence on a local account. */
import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { history, LOCK_FILE, type Migration } from "@durable-stack/class-lifecycle";
import type { RunningAccount } from "@durable-stack/local-account";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applyProgram } from "../../infra/apply/apply.ts";
import { migrations as ours } from "../../infra/migrations.ts";
import { Reads } from "../../infra/plan/account/reads.ts";
import { readWorker } from "../../infra/plan/live/worker.ts";
import { Api } from "../../infra/provider/api.ts";
import { ROOT } from "../../infra/release/root.ts";
import { projectName } from "../../infra/stack/project.ts";
import { defaultWorkerName } from "../../infra/stack/worker-name.ts";
import { startChecked, TestAccount } from "../../packages/local-account/test/support.ts";
import { patterns } from "../../worker/patterns.ts";
import { Checkouts } from "../checkouts.ts";
import { type Kept, keep } from "../kept.ts";
import { type ApiProxy, startProxy } from "../proxy.ts";
import { makeReleases, type Releases } from "../releases.ts";
import { STACK_FILES } from "../stack-files.ts";

const PROJECT_NAME = projectName();
const ADMIN_TOKEN = "a-token-that-is-long-enough";
const [{ class: className }] = patterns;
const lastStep = ours.at(-1)?.name;

let dir: string;
let account: RunningAccount;
let proxy: ApiProxy;
let releases: Releases;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "plan-"));
  account = await startChecked({ dir, port: 0, apiPort: 0 });
  proxy = await startProxy(account.apiUrl);
  releases = await makeReleases();
});
afterAll(async () => {
  releases?.remove();
  await proxy?.close();
  await account?.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Applies the program, with settings that override Pulumi.local.yaml. Returns what it printed. */
async function apply(settings: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const lines: string[] = [];
  const config = Object.entries({
    release: releases.built.setting,
    adminToken: ADMIN_TOKEN,
    ...settings,
  });
  await applyProgram({
    dir,
    account: { apiUrl: proxy.apiUrl, accountId: account.accountId, token: account.token },
    config: Object.fromEntries(
      config.map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
    ),
    onLine: (line) => lines.push(line),
  });
  return lines.join("\n");
}

/** Runs the command as a person does, in a shell whose only Cloudflare account is that of `env`. */
async function migrations(
  args: readonly string[],
  { root = ROOT, env = {} }: { root?: string; env?: Readonly<Record<string, string>> } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("CLOUDFLARE_"));
  const command = [join(root, "infra/commands/migrations.ts"), ...args, "--dir", dir];
  try {
    const options = { env: { ...Object.fromEntries(kept), ...env } };
    return { code: 0, ...(await promisify(execFile)(process.execPath, command, options)) };
  } catch (error) {
    if (!(error instanceof Error && "code" in error && "stdout" in error && "stderr" in error)) throw error;
    return { code: Number(error.code), stdout: String(error.stdout), stderr: String(error.stderr) };
  }
}
const folder = () => join(ROOT, releases.built.setting);
const eu = { id: "eu", prefix: "eu", locationHint: "weur", continents: [] };
const us = { id: "us", prefix: "us", locationHint: "enam", continents: [] };

describe("a stack from nothing to a change of its regions", () => {
  let kept: Kept;

  it("is fresh, and the plan says what the first release creates, without colour in a pipe", async () => {
    const { code, stdout } = await migrations(["plan", "--stack", "local", "--release", folder()]);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${PROJECT_NAME}: fresh, to ${lastStep}\n {2}classes +\\+ `));
    expect(stdout).toContain(`+ ${className} (sqlite)`);
    expect(stdout).toMatch(/traffic +before: nothing\n +after: {2}release [0-9a-f]{12} 100 %/);
    expect(stdout).not.toContain("\u001b");
    proxy.takeWrites();
  });

  it("does what the plan said, and prints the same plan", async () => {
    expect(await apply()).toContain(`${PROJECT_NAME}: fresh, to ${lastStep}\n  classes   + `);
  });

  it("is in sync afterwards, in the table and in the plan", async () => {
    kept = await keep({ port: account.port, adminToken: ADMIN_TOKEN }, "us~kept");
    const status = await migrations(["status", "--stack", "local"]);
    expect(status.stdout).toMatch(/^stack +state +step +behind +release +serves +floor +promoting/);
    expect(status.stdout).toMatch(
      new RegExp(`local +in sync +${lastStep} +0 +${releases.built.digest.slice(0, 12)} +v1 100 % +v1 +`),
    );
    const { stdout, code } = await migrations(["plan", "--stack", "local", "--release", folder(), "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      state: "in sync",
      changesLifecycle: false,
      errors: [],
      rollbackFloor: 1,
    });
  });

  it("names the stacks that it cannot reach and why, and fails if such a stack was asked for", async () => {
    const all = await migrations(["status"]);
    expect(all.code).toBe(0);
    expect(all.stderr).toMatch(/staging: not reached[\s\S]*CLOUDFLARE_API_TOKEN/);
    expect((await migrations(["status", "--stack", "staging"])).code).toBe(1);
    expect((await migrations(["plan", "--stack", "nope"])).stderr).toMatch(/no Pulumi.nope.yaml/);
  });

  it("refuses a table that hides objects, sends nothing, and goes on if the stack allows it by name", async () => {
    const regions = { regions: [eu] };
    proxy.takeWrites();
    await expect(apply(regions)).rejects.toThrow(/Nothing was sent[\s\S]*region_prefix_removed\] loc-us[\s\S]*loc-ap/);
    expect(proxy.takeWrites()).toEqual([]);
    await kept.stays();

    const shown = await apply({ ...regions, allowRegionLoss: ["loc-us", "loc-ap"] });
    expect(shown).toContain("- us (loc-us)");
    if (kept.isById) await kept.isMissing();
    // The data was never deleted: with its region back, the object is back.
    await apply({ regions: [eu, us] });
    await kept.stays();
  });

  it("refuses to give another stack's objects other names", async () => {
    await expect(apply({ environmentPrefix: "oth-", regions: [eu, us] })).rejects.toThrow(
      /region_prefix_changed\] loc-eu/,
    );
  });

  it("becomes a first history", async () => {
    const { stdout } = await migrations(["import", "--stack", "local"]);
    expect(stdout).toContain('.step("0001-import", (classes) =>');
    expect(stdout).toContain(`.create("${className}")`);
    expect((await migrations(["import", "--worker", "nope"])).stderr).toMatch(/no Worker nope/);
  });
});

describe("stacks at different steps of a history", () => {
  const checkouts = new Checkouts();
  afterAll(() => checkouts.remove());
  const { migrations: all } = history()
    .step("0001-create", (classes) => classes.create("Room").create("Old"))
    .step("0002-rename", (classes) => classes.rename("Room", "Hall"))
    .step("0003-remove", (classes) => classes.remove("Old").create("New"));
  /** The project after some steps of its history, with its stacks. */
  const checkout = (steps: number) => {
    const { root } = checkouts.make(`steps-${steps}`, all.slice(0, steps));
    for (const file of ["Pulumi.yaml", "Pulumi.staging.yaml", "Pulumi.production.yaml"]) {
      const shipped = STACK_FILES.get(file) ?? readFileSync(join(ROOT, file), "utf8");
      const text = shipped.replace("soakMinutes: 30", "soakMinutes: 0");
      writeFileSync(join(root, file), file === "Pulumi.yaml" ? text : `${text}  protect: false\n`);
    }
    return root;
  };
  const deploy = (
    root: string,
    stack: string,
    config: Readonly<Record<string, string>> = {},
    onLine: (line: string) => void = () => {},
  ) =>
    applyProgram({
      onLine,
      dir: join(dir, stack),
      root,
      stack,
      account: { apiUrl: proxy.apiUrl, accountId: account.accountId, token: account.token },
      // An apply has no other stack to ask. The promotion guard is tested by the command.
      config: {
        adminToken: "a-token-that-is-long-enough",
        promotesFrom: "",
        ...config,
      },
    });
  /** Runs the checkout's own command with the account in the environment. */
  const command = (root: string, ...args: string[]) =>
    migrations(args, {
      root,
      env: {
        CLOUDFLARE_BASE_URL: account.apiUrl,
        CLOUDFLARE_ACCOUNT_ID: account.accountId,
        CLOUDFLARE_API_TOKEN: account.token,
      },
    });

  it("are shown with their steps, and with what promoting the last release would do to each", async () => {
    const [first, last] = [checkout(1), checkout(3)];
    await deploy(first, "production");
    for (const object of ["a", "b"]) {
      await new TestAccount(account).ask(defaultWorkerName(PROJECT_NAME, "production"), `/Room/${object}`);
    }
    await new TestAccount(account).ask(defaultWorkerName(PROJECT_NAME, "production"), "/Old/a");

    const before = await command(last, "status", "--json");
    expect(before.code, before.stderr).toBe(0);
    expect(JSON.parse(before.stdout)).toMatchObject({
      stacks: [
        {
          stack: "production",
          state: "behind",
          step: "0001-create",
          behind: 2,
          promoting: expect.stringContaining("refused: not_promoted"),
        },
        {
          stack: "staging",
          state: "fresh",
          behind: 3,
          promoting: expect.stringMatching(/^deploys .*: \+ Hall \(sqlite\); \+ New/),
        },
      ],
      unreachable: [],
    });

    const refused = await command(last, "plan", "--stack", "production");
    expect(refused.code).toBe(1);
    expect(refused.stdout).toContain("~ Room -> Hall, with its 2 objects");
    expect(refused.stderr).toMatch(/\[not_promoted\].*staging serves no release[\s\S]*\[destroy_not_allowed\] Old/);

    const lock = join(last, LOCK_FILE);
    const recorded = readFileSync(lock, "utf8");
    rmSync(lock);
    expect((await command(last, "plan", "--stack", "staging")).stderr).toContain(
      "[lock_missing] infra/migrations.lock",
    );
    await expect(deploy(last, "staging")).rejects.toThrow(
      /Nothing was sent[\s\S]*\[lock_missing\].*migrations -- lock/,
    );
    writeFileSync(lock, recorded);
    await deploy(last, "staging");
    const allowed = { allowDestroy: '["Old"]' };
    writeFileSync(
      join(last, "Pulumi.production.yaml"),
      `${readFileSync(join(last, "Pulumi.production.yaml"), "utf8")}  allowDestroy: [Old]\n`,
    );
    const planned = await command(last, "plan", "--stack", "production");
    expect(planned.code, planned.stderr).toBe(0);
    expect(planned.stdout).toContain("- Old, with its 1 object");

    // A Worker that waits for the class keeps it from being deleted, until it waits no more.
    const from = defaultWorkerName(PROJECT_NAME, "production");
    const expecting = { type: "durable-object", state: "expecting-transfer", storage: "sqlite", transfer_from: from };
    await new TestAccount(account).deploy("bank", { classes: ["Old"], exports: { Old: expecting } });
    const awaited = await command(last, "plan", "--stack", "production");
    expect(awaited.code).toBe(1);
    expect(awaited.stderr).toMatch(/\[class_awaited_elsewhere\] Old: the Worker bank waits/);
    await new TestAccount(account).deploy("bank", { exports: {} });
    await deploy(last, "production", allowed);
    const answer = await new TestAccount(account).ask(defaultWorkerName(PROJECT_NAME, "production"), "/Hall/a");
    expect(answer.json()).toMatchObject({ count: 2, tag: "steps-3" });

    const after = await command(last, "status");
    expect(after.stdout).toMatch(
      /production +in sync +0003-remove +0 .* nothing\nstaging +in sync +0003-remove +0 .* nothing/,
    );
    // The release of these checkouts was built from no wrangler.jsonc.
    copyFileSync(join(ROOT, "wrangler.jsonc"), join(last, "wrangler.jsonc"));
    const stale = "the release in dist/release, which was built before wrangler.jsonc changed";
    for (const args of [["status"], ["plan", "--stack", "staging"]]) {
      expect((await command(last, ...args)).stderr).toContain(stale);
      expect((await command(last, ...args, "--json")).stderr).toBe("");
    }
    const lines: string[] = [];
    await deploy(last, "staging", {}, (line) => lines.push(line));
    expect(lines.join("\n")).toContain(stale);

    const older = await command(first, "status", "--stack", "staging", "--json");
    expect(JSON.parse(older.stdout)).toMatchObject({
      stacks: [{ state: "ahead", step: "0003-remove", promoting: "refused: state_ahead" }],
    });
  });
});

/** Another stack on the account, with production's settings: puts them into a checkout, and deploys it. */
const stackOfItsOwn = (stack: string) => ({
  configured({ root }: { readonly root: string }): string {
    const text = STACK_FILES.get("Pulumi.production.yaml");
    writeFileSync(join(root, `Pulumi.${stack}.yaml`), `${text}  protect: false\n`);
    return root;
  },
  deploy: (root: string, config: Readonly<Record<string, string>> = {}, onLine: (line: string) => void = () => {}) =>
    applyProgram({
      dir: join(dir, stack),
      root,
      stack,
      account: { apiUrl: proxy.apiUrl, accountId: account.accountId, token: account.token },
      config: { adminToken: ADMIN_TOKEN, promotesFrom: "", ...config },
      onLine,
    }),
});

describe("classes that something else changed behind the stack's back", () => {
  const checkouts = new Checkouts();
  afterAll(() => checkouts.remove());
  const worker = defaultWorkerName(PROJECT_NAME, "changed");
  const began = history().step("0001-create", (classes) => classes.create("Room").create("Old"));
  const waits = began.step("0002-receive", (classes) => classes.receive("Account", "lender"));
  const told = waits
    .step("0003-told", (classes) => classes.remove("Old").create("Stranger"))
    .step("0004-more", (classes) => classes.create("New"));
  const { configured, deploy } = stackOfItsOwn("changed");
  const checkout = (name: string, { migrations }: { readonly migrations: readonly Migration[] }) =>
    configured(checkouts.make(`changed-${name}`, migrations, ["Account"]));

  it("are refused until a step says what happened, and then nothing of the rest is lost", async () => {
    const live = { type: "durable-object", storage: "sqlite" };
    const expecting = { ...live, state: "expecting-transfer", transfer_from: "lender" };
    const others = new TestAccount(account);
    await others.deploy("lender", { classes: ["Account"], exports: { Account: live } });
    const waiting = checkout("waits", waits);
    await deploy(waiting);
    await others.ask(worker, "/Room/a");

    // Whoever deploys it anew with the same classes has changed none, a class that waits neither.
    const same = { classes: ["Room", "Old", "Account"], exports: { Room: live, Old: live, Account: expecting } };
    await others.deploy(worker, same);
    await deploy(waiting);
    expect((await others.ask(worker, "/Room/a")).json()).toMatchObject({ count: 2 });

    await others.deploy(worker, {
      classes: ["Room", "Account", "Stranger"],
      bound: ["Stranger"],
      exports: {
        Room: live,
        Old: { type: "durable-object", state: "deleted" },
        Account: expecting,
        Stranger: live,
      },
    });
    await others.ask(worker, "/Stranger/a");
    await expect(deploy(waiting)).rejects.toThrow(
      /Nothing was sent[\s\S]*\[orphaned_provisioned_namespace\] Stranger[\s\S]*\[state_diverged\] Old.*append a step that says what happened/,
    );
    await deploy(checkout("told", told));
    expect((await others.ask(worker, "/Room/a")).json()).toMatchObject({ count: 3, tag: "changed-told" });
    expect((await others.ask(worker, "/Stranger/a")).json()).toMatchObject({ count: 2 });
    expect((await others.ask(worker, "/New/a")).json()).toMatchObject({ count: 1 });
  });

  it("and put back as they were: the release becomes a version once more, for no earlier one can serve", async () => {
    const live = { type: "durable-object", storage: "sqlite" };
    const kept = {
      Room: live,
      Stranger: live,
      New: live,
      Account: { ...live, state: "expecting-transfer", transfer_from: "lender" },
    };
    const others = new TestAccount(account);
    const classes = ["Room", "Stranger", "New", "Account"];
    await others.deploy(worker, { classes: [...classes, "Passing"], exports: { ...kept, Passing: live } });
    const gone = { type: "durable-object", state: "deleted" };
    await others.deploy(worker, { classes, exports: { ...kept, Passing: gone } });
    const root = checkout("again", told);
    await deploy(root);
    expect((await others.ask(worker, "/Room/a")).json()).toMatchObject({ count: 4, tag: "changed-again" });
    // The same release is there by now, and is not from before.
    await others.deploy(worker, { classes: [...classes, "Passing"], exports: { ...kept, Passing: live } });
    await others.deploy(worker, { classes, exports: { ...kept, Passing: gone } });
    await deploy(root);
    proxy.takeWrites();
    await deploy(root);
    expect(proxy.takeWrites()).toEqual([]);
    expect((await others.ask(worker, "/Room/a")).json()).toMatchObject({ count: 5, tag: "changed-again" });
    await expect(deploy(root, { pin: "1" })).rejects.toThrow(/\[pin_below_rollback_floor\]/);
  });

  it("and a class whose objects are lost begins without them, with the release that waits for them", async () => {
    const others = new TestAccount(account);
    await others.deploy("lender", { exports: { Account: { type: "durable-object", state: "deleted" } } });
    const root = checkout("lost", told);
    await expect(deploy(root)).rejects.toThrow(/\[transfer_lost\] Account:.*allowTransferLoss: \[Account\]/);
    await deploy(root, { allowTransferLoss: '["Account"]' });
    expect(await others.namespaces()).toHaveProperty(`${worker}/Account`);
    // The version that waits for them cannot serve again, though it is of the same release.
    const numbers: number[] = [];
    for await (const { number } of others.sdk.workers.beta.workers.versions.list(worker, { account_id: others.id }))
      numbers.push(number);
    const [, waited] = numbers.toSorted((a, b) => b - a);
    await expect(deploy(root, { pin: String(waited) })).rejects.toThrow(/\[pin_below_rollback_floor\]/);
    await deploy(root);
    await others.call("delete", `/workers/scripts/${worker}?force=true`);
  });
});

describe("a class that comes from another Worker", () => {
  const checkouts = new Checkouts();
  afterAll(() => checkouts.remove());
  const receiver = defaultWorkerName(PROJECT_NAME, "receiver");
  const { migrations: all } = history()
    .step("0001-create", (classes) => classes.create("Room"))
    .step("0002-receive", (classes) => classes.receive("Account", "shop"))
    .step("0003-rename", (classes) => classes.rename("Account", "Book"));
  const { configured, deploy } = stackOfItsOwn("receiver");
  const checkout = (steps: number, unbound: readonly string[] = []) =>
    configured(checkouts.make(`transfer-${steps}`, all.slice(0, steps), unbound));

  it("is received by one Worker alone; once it has come it is renamed, though the first has one of that name again", async () => {
    const others = new TestAccount(account);
    const live = { type: "durable-object", storage: "sqlite" };
    const expecting = { ...live, state: "expecting-transfer", transfer_from: "shop" };
    const having = { classes: ["Account"], bound: ["Account"], exports: { Account: live } };
    await others.deploy("shop", having);
    await others.ask("shop", "/Account/a");
    await others.deploy("till", { classes: ["Account"], exports: { Account: expecting } });
    const receiving = checkout(2, ["Account"]);
    proxy.takeWrites();
    await expect(deploy(receiving)).rejects.toThrow(
      /Nothing was sent[\s\S]*\[phase_one_transfer_duplicate\] Account: .* till waits for them already/,
    );
    expect(proxy.takeWrites()).toEqual([]);

    await others.deploy("till", { exports: {} });
    await deploy(receiving);
    const sent = { type: "durable-object", state: "transferred", transferred_to: receiver };
    await others.deploy("shop", { exports: { Account: sent } });
    await others.deploy("shop", having);
    // The version that waited for it stays, and its release may be planned with any share of the traffic.
    proxy.takeWrites();
    const again: string[] = [];
    await deploy(receiving, { rollout: "10" }, (line) => again.push(line));
    expect(again.join("\n")).toContain("rollback  back to version 1 at most");
    expect(proxy.takeWrites()).toEqual([]);

    // A version that is made anew for a secret waits no more, so that the next one changes no class.
    const rotated = async (adminToken: string) => {
      const lines: string[] = [];
      await deploy(receiving, { adminToken }, (line) => lines.push(line));
      return lines.join("\n");
    };
    expect(await rotated("a-second-token-that-is-long")).toContain("nothing before this release can serve again");
    expect(await rotated("a-third-token-that-is-long-too")).not.toContain(
      "nothing before this release can serve again",
    );
    const reads = Reads.through(new Api({ baseUrl: account.apiUrl, token: account.token }), account.accountId);
    expect((await readWorker(reads, receiver)).classes?.get("Account")).toEqual({ storage: "sqlite" });
    const gradual = { adminToken: "a-third-token-that-is-long-too", rollout: "10" };
    await deploy(configured(checkouts.make("transfer-next", all.slice(0, 2), ["Account"])), gradual);
    expect((await readWorker(reads, receiver)).serving.map(({ percentage }) => percentage)).toEqual([10, 90]);
    await deploy(receiving, { ...gradual, rollout: "0" });

    const renaming = checkout(3);
    await deploy(renaming);
    expect((await others.ask(receiver, "/Book/a")).json()).toMatchObject({ count: 2, tag: "transfer-3" });

    // Who waits for a class of a Worker knows it by its name.
    const bookFrom = { ...live, state: "expecting-transfer", transfer_from: receiver };
    await others.deploy("till", { classes: ["Book"], exports: { Book: bookFrom } });
    await expect(deploy(renaming, { workerName: "renamed" })).rejects.toThrow(
      /Nothing was sent[\s\S]*\[worker_rename_blocked\] .* -> renamed: the Worker till waits to receive Book/,
    );
    await others.deploy("till", { exports: {} });
    await deploy(renaming, { workerName: "renamed" });
    expect((await others.ask("renamed", "/Book/a")).json()).toMatchObject({ count: 3 });
  });
});

it("knows the tables that objects have from before a class step, under the class's name of now", async () => {
  const direct = new TestAccount(account);
  const exported = (name: string, more: object = {}) => ({
    [name]: { type: "durable-object", storage: "sqlite" },
    ...more,
  });
  /** A version of ours whose release knows these steps of the class's tables. */
  const deploy = (
    digit: string,
    name: string,
    migration: string,
    { steps, more }: { steps: string[]; more?: object },
  ) =>
    direct.deploy("tables", {
      classes: [name],
      bound: [name],
      exports: exported(name, more),
      annotations: { "workers/tag": `${digit.repeat(12)}-0` },
      bindings: [
        {
          type: "json",
          name: "RELEASE",
          json: { digest: digit.repeat(64), migration, history: "h", schemas: { [name]: { steps, needs: 0 } } },
        },
      ],
    });
  const read = () =>
    readWorker(Reads.through(new Api({ baseUrl: account.apiUrl, token: account.token }), account.accountId), "tables");
  await deploy("a", "Notes", "0001-create", { steps: ["one"] });
  await deploy("b", "Notes", "0001-create", { steps: ["one", "two"] });
  const renamed = { Notes: { type: "durable-object", state: "renamed", renamed_to: "Pages" } };
  await deploy("c", "Pages", "0002-rename", { steps: ["one"], more: renamed });
  expect((await read()).schemas).toEqual({ Pages: { steps: ["one", "two"], needs: 0 } });
  const anew = { Pages: { type: "durable-object", state: "deleted" } };
  await direct.deploy("tables", { classes: ["Other"], bound: ["Other"], exports: exported("Other", anew) });
  const gone = { Other: { type: "durable-object", state: "deleted" } };
  await deploy("d", "Pages", "0004-anew", { steps: ["one"], more: gone });
  expect((await read()).schemas).toEqual({ Pages: { steps: ["one"], needs: 0 } });
});
