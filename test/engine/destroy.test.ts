/**
 * `npm run destroy` that is interrupted in its deletions, by Ctrl-C or a kill, with the real CLI in a copy of the
 * project: run again, it finishes or says what to do first. The language host and the provider are stand-ins.
 *
 * @module-tag nightly
 */
import type { RunningAccount } from "@durable-stack/local-account";
import { afterAll, beforeAll, expect, it } from "vitest";
import { projectName } from "../../infra/stack/project.ts";
import { startChecked, TestAccount } from "../../packages/local-account/test/support.ts";
import { type Ended, ProjectCopy } from "../project-copy.ts";
import { type ApiProxy, startProxy } from "../proxy.ts";
import { Terminal } from "../terminal.ts";
import { Ground } from "./ground.ts";
import { pendingIn } from "./pending.ts";

const NAME = projectName();
const OTHERS = new RegExp(`^ +(${NAME}:)?(protect|access|demoLogin): .*\\n`, "gm");

const STACK = "trial";
const FILE = `Pulumi.${STACK}.yaml`;
const UP = `npm run -s up -- --stack ${STACK} --yes --skip-preview`;
const DESTROY = `npm run -s destroy -- --stack ${STACK} --yes`;

let account: RunningAccount;
let proxy: ApiProxy;
let copy: ProjectCopy;
let ground: Ground;

beforeAll(async () => {
  ground = await Ground.make();
  account = await startChecked({ dir: ground.folder("account"), port: 0, apiPort: 0 });
  proxy = await startProxy(account.apiUrl);
  copy = new ProjectCopy();
  copy.bindAsShipped();
  copy.write(FILE, copy.read("Pulumi.local.yaml").replace("environmentPrefix: loc-", "environmentPrefix: tri-"));
  // More of each kind of storage than every stack has.
  copy.replace("wrangler.jsonc", '"kv_namespaces": [', '"kv_namespaces": [{ "binding": "USERS" }, ');
  copy.replace(
    "wrangler.jsonc",
    '"r2_buckets": [',
    '"d1_databases": [{ "binding": "DB" }],\n  "r2_buckets": [{ "binding": "FILES" }, ',
  );
  await done("npm run -s build");
  await done(`pulumi stack init ${STACK}`);
});
afterAll(async () => {
  await proxy?.close();
  await account?.close();
  copy?.remove();
  ground?.remove();
});

const command = (line: string) =>
  ground.command(copy, line, {
    ADMIN_TOKEN: "an-admin-token-0123456789-abcdef",
    CLOUDFLARE_BASE_URL: proxy.apiUrl,
    CLOUDFLARE_API_TOKEN: account.token,
    CLOUDFLARE_ACCOUNT_ID: account.accountId,
  });
const run = (line: string): Promise<Ended> => copy.run(...command(line));

/** Runs a command that must succeed, and returns all that it printed. */
async function done(line: string): Promise<string> {
  const { code, text } = await run(line);
  expect(code, text).toBe(0);
  return text;
}

const LISTS = ["/workers/workers", "/storage/kv/namespaces", "/r2/buckets", "/d1/database"] as const;

/** What the account has of the stack. */
async function left(): Promise<readonly string[]> {
  const direct = new TestAccount(account);
  const lists = await Promise.all(LISTS.map((path) => direct.call("get", path)));
  return lists.flatMap((list) => JSON.stringify(list).match(/[\w-]+-trial(-\w+)?(?=")/g) ?? []);
}

/**
 * Starts to destroy the stack, and sends a signal to all of it while its nth deletion is under way. `at`: the path of that
 * deletion; undefined where it does not come to so many. `isTwice`: again, once the CLI has heard of it.
 */
async function interrupted(nth: number, signal: "SIGINT" | "SIGKILL", isTwice = false) {
  const held = Promise.withResolvers<string>();
  const free = Promise.withResolvers<void>();
  let seen = 0;
  let waiting = 0;
  proxy.intervene = async ({ method, path }) => {
    if (method !== "DELETE" || ++seen < nth) return undefined;
    waiting++;
    held.resolve(path);
    await free.promise;
    return undefined;
  };
  const [line, options] = command(DESTROY);
  const child = copy.start(line, { ...options, detached: true });
  const terminal = new Terminal(child);
  const over = terminal.printed(() => false);
  const at = await Promise.race([held.promise, over.then(() => undefined)]);
  if (at !== undefined && child.pid !== undefined) {
    await expect.poll(() => pendingIn(ground.stateFile(STACK)) === waiting, { timeout: 60_000 }).toBe(true);
    process.kill(-child.pid, signal);
  }
  // The CLI waits for what it has begun: a kill is over at once.
  if (signal === "SIGINT") await terminal.printed((text) => text.includes("^C received"));
  else await over;
  if (isTwice && child.pid !== undefined) {
    process.kill(-child.pid, signal);
    await terminal.printed((text) => text.split("^C received").length > 2);
  }
  free.resolve();
  proxy.intervene = undefined;
  const text = await over;
  await proxy.idle();
  return { at, text };
}

it("a destruction is refused where the state is of another account than the environment's", async () => {
  await done(UP);
  const before = await left();
  const other = await startChecked({ dir: ground.folder("other"), port: 0, apiPort: 0 });
  const [line, options] = command(DESTROY);
  const env = {
    CLOUDFLARE_BASE_URL: other.apiUrl,
    CLOUDFLARE_API_TOKEN: other.token,
    CLOUDFLARE_ACCOUNT_ID: other.accountId,
  };
  const { code, text } = await copy.run(line, { ...options, env: { ...options.env, ...env } });
  await other.close();
  expect([code, text]).toEqual([
    1,
    expect.stringContaining(
      `The state of trial is of the account ${account.accountId}, and its settings name ${other.accountId}. Nothing was deleted.`,
    ),
  ]);
  expect(text).not.toContain("Nothing of the stack");
  expect(await left()).toEqual(before);
});

it("a destruction asks where nothing is found, and the state has something left", async () => {
  const direct = new TestAccount(account);
  for (const path of LISTS) {
    const paths = JSON.stringify(await direct.call("get", path)).matchAll(/"(?:id|uuid|name)":"([\w-]+)"/g);
    for (const [, id] of paths) await direct.call("delete", `${path}/${id}`).catch(() => {});
  }
  expect(await left()).toEqual([]);
  const asked = await run(DESTROY.replace(" --yes", ""));
  expect([asked.code, asked.text]).toEqual([
    1,
    expect.stringMatching(
      /^Nothing of the stack trial is left in its account\.\nDelete the \d+ resources that its state has all the same: nobody is there to confirm it\. Add --yes\./,
    ),
  ]);
  await done(DESTROY);
});

/** A deletion of each kind, by its number: of two buckets, of three other kinds of storage, of the Worker. */
const DELETIONS = [
  [1, /\/r2\/buckets\//],
  [3, /\/(kv\/namespaces|d1\/database)\//],
  [6, /\/workers\/workers\//],
] as const;

it("a destruction that Ctrl-C interrupts is completed by the same command", async () => {
  for (const [nth, path] of DELETIONS) {
    await done(UP);
    const { at, text } = await interrupted(nth, "SIGINT");
    expect(at, text).toMatch(path);
    // In between, the CLI says that all is deleted, and ends with 0.
    expect(text).toMatch(
      /\nInterrupted\. What was deleted of trial by then .* need not be all.* npm run destroy -- --stack trial/,
    );
    await done(DESTROY);
    expect(await left()).toEqual([]);
  }
});

it("a destruction that a second Ctrl-C ends at once is completed by the same command, once a lock is away", async () => {
  for (const [nth, path] of DELETIONS) {
    await done(UP);
    const { at, text } = await interrupted(nth, "SIGINT", true);
    expect(at, text).toMatch(path);
    expect(text).toMatch(/\nInterrupted\. What was deleted of trial by then/);
    const { code, text: said } = await run(DESTROY);
    if (code !== 0) {
      expect(said).toMatch(/currently locked[\s\S]*same command again.* was killed .*: pulumi cancel trial\n/);
      await done(`pulumi cancel ${STACK} --yes`);
      await done(DESTROY);
    }
    expect(await left()).toEqual([]);
  }
});

it("a destruction that is killed is completed by the same command, once the lock is away, which it says", async () => {
  for (const [nth, path] of DELETIONS) {
    await done(UP);
    const { at, text } = await interrupted(nth, "SIGKILL");
    expect(at, text).toMatch(path);
    const locked = await run(DESTROY);
    expect(locked.text).toMatch(/currently locked[\s\S]*same command again.* was killed .*: pulumi cancel trial\n/);
    expect(locked.code).toBe(1);
    await done(`pulumi cancel ${STACK} --yes`);
    await done(DESTROY);
    expect(await left()).toEqual([]);
  }
});

it("a pinned stack whose destruction is killed is led out by --unpin, and by the same command", async () => {
  const unpin = `npm run -s rollback -- --stack ${STACK} --unpin --yes`;
  const before = copy.read(FILE);
  await done(UP);
  copy.write(FILE, before.replace(/capacity: 100\b/, "capacity: 99"));
  await done(UP);
  await done(`npm run -s rollback -- --stack ${STACK} --yes`);
  const { at, text } = await interrupted(3, "SIGKILL");
  expect(at, text).toBeDefined();
  await done(`pulumi cancel ${STACK} --yes`);
  // The version is bound to storage that has another id when it is made anew.
  const up = await run(UP);
  expect([up.code, up.text]).toEqual([
    1,
    expect.stringMatching(/bound_resource_missing.*stack trial --unpin` makes it anew/),
  ]);
  expect(await done(unpin)).toContain("trial is not pinned any more");
  await done(DESTROY);
  copy.write(FILE, copy.read(FILE).replace("config:\n", "config:\n  pin: 1\n"));
  const gone = await run(UP);
  expect([gone.code, gone.text]).toEqual([1, expect.stringMatching(/pin_version_missing.* --unpin/)]);
  expect(await done(unpin)).toContain("trial is not pinned any more");
  await done(DESTROY);
  expect(await left()).toEqual([]);
});

it("a destruction of what is destroyed has nothing left to do, and says so", async () => {
  expect(await done(DESTROY)).toMatch(
    /^Nothing of the stack trial is left in its account\.\n[\s\S]*pulumi stack rm trial/,
  );
});

it("storage whose binding goes is kept or deleted as the last update said, whatever the settings say by now", async () => {
  const [settings, wrangler] = [copy.read(FILE), copy.read("wrangler.jsonc")];
  const without = wrangler.replace('{ "binding": "USERS" }, ', "");
  const deploy = async (text: string): Promise<Ended> => {
    copy.write("wrangler.jsonc", text);
    await done("npm run -s build");
    return run(UP);
  };
  await done(UP);
  copy.write(FILE, settings.replaceAll(OTHERS, "").replace("config:\n", `config:\n  ${NAME}:protect: true\n`));
  const early = await deploy(without);
  expect([early.code, early.text]).toEqual([
    1,
    expect.stringMatching(/storage_would_go\] USERS: .*had protect: false in its last update/),
  ]);
  const kept = await deploy(wrangler);
  expect(kept.code, kept.text).toBe(0);
  const gone = await deploy(without);
  expect([gone.code, gone.text]).toEqual([0, expect.stringMatching(/storage_left_behind\] USERS/)]);
  expect(await left()).toContain(`${NAME}-trial-users`);
});

it("storage is not taken for kept while an update without protect has failed after it reached the storage", async () => {
  const [settings, wrangler] = [copy.read(FILE), copy.read("wrangler.jsonc")];
  const withProtect = (protect: boolean, capacity: number) =>
    copy.write(
      FILE,
      settings
        .replaceAll(OTHERS, "")
        .replace(/capacity: \d+\b/, `capacity: ${capacity}`)
        .replace("config:\n", `config:\n  ${NAME}:protect: ${protect}\n`),
    );
  const users = `${NAME}-trial-second`;
  copy.write("wrangler.jsonc", wrangler.replace('"kv_namespaces": [', '"kv_namespaces": [{ "binding": "SECOND" }, '));
  withProtect(true, 97);
  await done("npm run -s build");
  await done(UP);
  expect(await left()).toContain(users);
  // It comes as far as the storage, and not to the version.
  withProtect(false, 96);
  proxy.intervene = ({ method, path }) => (method === "POST" && /\/versions\b/.test(path) ? "refuse" : undefined);
  const failed = await run(UP);
  proxy.intervene = undefined;
  expect(failed.code, failed.text).toBe(1);
  expect(failed.text).toContain("spoilt by the test");
  withProtect(true, 97);
  copy.write("wrangler.jsonc", wrangler);
  await done("npm run -s build");
  const gone = await run(UP);
  expect(await left()).toContain(users);
  expect([gone.code, gone.text]).toEqual([1, expect.stringMatching(/storage_would_go\] SECOND: .*had protect: false/)]);
});

it("storage that allowDestroy names goes with its binding, and the plan says so before, with the state and without it", async () => {
  const text = copy.read(FILE).replace("config:\n", `config:\n  ${NAME}:allowDestroy: [SECOND]\n`);
  copy.write(FILE, text.replace("protect: true", "protect: false"));
  const goes = new RegExp(String.raw`storage_goes\] SECOND: the KV namespace ${NAME}-trial-second is deleted with all`);
  expect(await done(`npm run -s migrations -- plan --stack ${STACK}`)).toMatch(goes);
  const gone = await done(UP);
  expect(gone).toMatch(goes);
  expect(gone).toContain("- SECOND (KV namespace), deleted with all that is in it");
  expect(await left()).not.toContain(`${NAME}-trial-second`);
  expect(await done(UP)).toMatch(
    /allowance_unused\] SECOND: allowDestroy names it, but this release does not delete it/,
  );
});
