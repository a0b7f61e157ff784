/**
 * A stack whose state is in an S3 bucket, as docs/state.md sets it up, with the real CLI in a copy of the project: two
 * updates at once, a lock that stays behind, an old state that is put back, and a state that is lost. The language host
 * and the provider are stand-ins. The stack has `protect: false`, so that only the plan stands between a wrong state
 * and its data.
 */
import { join } from "node:path";
import type { RunningAccount } from "@durable-stack/local-account";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectName } from "../../infra/stack/project.ts";
import { defaultWorkerName } from "../../infra/stack/worker-name.ts";
import { startChecked, TestAccount } from "../../packages/local-account/test/support.ts";
import { type Ended, ProjectCopy } from "../project-copy.ts";
import { type ApiProxy, startProxy } from "../proxy.ts";
import { sharesOf } from "../served.ts";
import { Terminal } from "../terminal.ts";
import { Bucket } from "./bucket.ts";
import { Ground, statePath, type Variables } from "./ground.ts";

const STACK = "trial";
const FILE = `Pulumi.${STACK}.yaml`;
const ADMIN_TOKEN = "an-admin-token-0123456789-abcdef";
const UP = `npm run -s up -- --stack ${STACK} --yes --skip-preview`;
const PREVIEW = `npm run -s preview -- --stack ${STACK}`;

const Classes = v.array(v.object({ id: v.string(), class: v.string() }));
const Namespaces = v.array(v.object({ id: v.string(), title: v.string() }));

let bucket: Bucket;
let account: RunningAccount;
let proxy: ApiProxy;
let copy: ProjectCopy;
let ground: Ground;
let env: Variables;
/** A file for the state as it is after the first update, and the namespaces of the classes then. */
let backup: string;
let first: unknown;

beforeAll(async () => {
  ground = await Ground.make();
  backup = join(ground.folder("backup"), "state.json");
  bucket = await Bucket.open();
  account = await startChecked({ dir: ground.folder("account"), port: 0, apiPort: 0 });
  proxy = await startProxy(account.apiUrl);
  env = {
    PULUMI_BACKEND_URL: bucket.backend,
    PULUMI_CONFIG_PASSPHRASE: "a phrase of its own",
    AWS_ACCESS_KEY_ID: "key",
    AWS_SECRET_ACCESS_KEY: "secret",
    AWS_RESPONSE_CHECKSUM_VALIDATION: "when_required",
    CLOUDFLARE_BASE_URL: proxy.apiUrl,
    CLOUDFLARE_API_TOKEN: account.token,
    CLOUDFLARE_ACCOUNT_ID: account.accountId,
  };
  copy = new ProjectCopy();
  copy.bindAsShipped();
  copy.write(FILE, copy.read("Pulumi.local.yaml").replace("environmentPrefix: loc-", "environmentPrefix: tri-"));
  await done("npm run -s build");
});
afterAll(async () => {
  await proxy?.close();
  await account?.close();
  await bucket?.close();
  copy?.remove();
  ground?.remove();
});

const command = (text: string, more: Variables = {}) => ground.command(copy, text, { ...env, ...more });
const run = (text: string, more?: Variables): Promise<Ended> => copy.run(...command(text, more));

/** Runs a command that must succeed, and returns all that it printed. */
async function done(line: string, more?: Variables): Promise<string> {
  const { code, text } = await run(line, more);
  expect(code, text).toBe(0);
  return text;
}

/** Runs a command that must be refused, and returns all that it printed. */
async function refused(line: string): Promise<string> {
  const { code, text } = await run(line);
  expect(code, text).not.toBe(0);
  return text;
}

/** Where the objects' data is, once the Worker answers: data is lost when a class gets another namespace. */
async function objects(): Promise<unknown> {
  const { status } = await fetch(`http://127.0.0.1:${account.port}/health`);
  expect(status).toBe(200);
  const all = v.parse(Classes, await direct().call("get", "/workers/durable_objects/namespaces"));
  return all.toSorted((a, b) => a.class.localeCompare(b.class));
}

/** Changes a setting that makes another version. */
function capacity(value: number): void {
  const text = copy.read(FILE);
  const changed = text.replace(/capacity: "?\d+"?/, `capacity: ${value}`);
  expect(changed).not.toBe(text);
  copy.write(FILE, changed);
}

/** Starts an update in a terminal of its own; `held`: when its upload of a version waits until `release` is called. */
function heldUp() {
  const held = Promise.withResolvers<void>();
  const free = Promise.withResolvers<void>();
  proxy.intervene = async ({ method, path }) => {
    if (method !== "POST" || !/\/versions(\?|$)/.test(path)) return undefined;
    held.resolve();
    await free.promise;
    return undefined;
  };
  const [line, options] = command(UP);
  const child = copy.start(line, { ...options, detached: true });
  const terminal = new Terminal(child);
  const release = async () => {
    proxy.intervene = undefined;
    free.resolve();
    await proxy.idle();
  };
  return { child, terminal, held: held.promise, release };
}

/** Where the CLI keeps the stack's state in the bucket. */
const STATE = statePath(STACK);
const WORKER = defaultWorkerName(projectName(), STACK);
const READS = `${projectName()}-${STACK}-reads`;
const direct = () => new TestAccount(account);
const reads = async () =>
  v.parse(Namespaces, await direct().call("get", "/storage/kv/namespaces")).find(({ title }) => title === READS);

describe("a state in a bucket", () => {
  it("takes a stack from nothing to an answer, and holds no secret that can be read", async () => {
    await done(`pulumi stack init ${STACK}`);
    await done(`printf '${ADMIN_TOKEN}' | pulumi config set --secret adminToken --stack ${STACK}`);
    const up = await done(`npm run -s up -- --stack ${STACK} --yes`);
    expect(up).toContain("7 created");
    // Without AWS_RESPONSE_CHECKSUM_VALIDATION every read warns of a checksum that the server does not send.
    expect(up).not.toContain("checksum");
    first = await objects();
    expect(first).not.toEqual([]);
    expect(await done(UP)).toContain("7 unchanged");

    const keys = await bucket.keys();
    expect(keys).toContain(STATE);
    const texts = await Promise.all(keys.map((key) => bucket.read(key)));
    expect(texts.filter((text) => text.includes(ADMIN_TOKEN))).toEqual([]);
    expect(copy.read(FILE)).not.toContain(ADMIN_TOKEN);
    expect(await bucket.keys(".pulumi/locks/")).toEqual([]);
  });

  it("one update at a time: a second one is refused, and told whose the lock is", async () => {
    await done(`pulumi stack export --stack ${STACK} --file ${backup}`);
    capacity(90);
    const one = heldUp();
    await one.held;
    const second = await refused(UP);
    expect(second).toContain("the stack is currently locked by 1 lock(s)");
    expect(second).toMatch(/created by \S+@\S+ \(pid \d+\) at /);
    await one.release();
    const text = await one.terminal.printed(() => false);
    expect(one.child.exitCode, text).toBe(0);
    expect(await bucket.keys(".pulumi/locks/")).toEqual([]);
    expect(await objects()).toEqual(first);
  });

  it("an update that is killed leaves its lock; after `pulumi cancel` the next one completes it", async () => {
    capacity(80);
    const killed = heldUp();
    await killed.held;
    if (killed.child.pid === undefined) throw new Error("it has no process");
    process.kill(-killed.child.pid, "SIGKILL");
    await killed.terminal.printed(() => false);
    await killed.release();
    expect(await refused(UP)).toContain("the stack is currently locked by 1 lock(s)");
    expect(await bucket.keys(".pulumi/locks/")).toHaveLength(1);
    // Whoever only looks is not kept waiting.
    expect(await done(PREVIEW)).toContain("1 to create");
    await done(`pulumi cancel ${STACK} --yes`);
    await done(UP);
    expect(await done(UP)).toContain("pending operations");
    // As docs/state.md says.
    await done(`pulumi refresh --stack ${STACK} --clear-pending-creates --yes`);
    const last = await done(UP);
    expect(last).toContain("7 unchanged");
    expect(last).not.toContain("pending operations");
    expect(await objects()).toEqual(first);
  });
});

describe("an old state that is put back", () => {
  it("loses nothing: the plan goes by the account, and the release becomes a version once more", async () => {
    const before = await reads();
    await done(`pulumi stack import --stack ${STACK} --file ${backup}`);
    proxy.takeWrites();
    const preview = await done(PREVIEW);
    expect(preview).toMatch(/before: version 4 .* 100 %/);
    expect(preview).toContain("the release becomes a version once more: the state does not have its version");
    expect(proxy.takeWrites()).toEqual([]);
    await done(UP);
    expect(proxy.takeWrites()).toEqual([
      expect.stringMatching(/^POST .*\/versions\?deploy=false$/),
      expect.stringMatching(/^POST .*\/deployments$/),
    ]);
    expect(await reads()).toEqual(before);
    expect(await objects()).toEqual(first);
    expect(await done(UP)).toContain("7 unchanged");
  });

  it("from before its KV namespace was made anew, is refused until a refresh", { tags: ["nightly"] }, async () => {
    const before = await reads();
    const [last = ""] = (await bucket.keys(".pulumi/history/"))
      .filter((key) => key.endsWith(".checkpoint.json"))
      .toSorted()
      .reverse();
    const kept = await bucket.read(last);
    expect(kept).toContain(before?.id);
    await direct().call("delete", `/storage/kv/namespaces/${before?.id}`);
    await done(`${UP} --refresh`);
    const after = await reads();
    expect(after?.id).not.toBe(before?.id);
    await direct().sdk.kv.namespaces.values.update("kept", {
      account_id: account.accountId,
      namespace_id: after?.id ?? "",
      value: "yes",
    });
    await bucket.write(STATE, kept);
    for (const line of [PREVIEW, UP]) {
      proxy.takeWrites();
      const text = await refused(line);
      expect(text).toMatch(/\[storage_made_anew\] READS: the state of \w+ has the KV namespace .*an old state\. Fix: /);
      expect(text).toContain(`pulumi refresh --stack ${STACK}`);
      expect(proxy.takeWrites()).toEqual([]);
    }
    await done(`pulumi refresh --stack ${STACK} --yes`);
    expect(await done(UP)).toContain(
      `takes over KV namespace ${READS}, found in the account: versions of this stack are bound to it`,
    );
    expect(
      await direct()
        .sdk.kv.namespaces.values.get("kept", { account_id: account.accountId, namespace_id: after?.id ?? "" })
        .then((value) => value.text()),
    ).toBe("yes");
    expect(await reads()).toEqual(after);
    expect(await done(UP)).toContain("7 unchanged");
  });
});

describe("a state that is lost", () => {
  const recover = `npm run -s recover -- --stack ${STACK} --yes`;

  it("is not rebuilt from a checkout without the pin of a rollback: the traffic would go to what was left", async () => {
    const unpinned = copy.read(FILE);
    await done(`npm run -s rollback -- --stack ${STACK} --yes`);
    const pinned = copy.read(FILE);
    const state = join(ground.folder("pinned"), "state.json");
    await done(`pulumi stack export --stack ${STACK} --file ${state}`);
    await bucket.empty();
    await done(`pulumi stack init ${STACK}`);
    const served = await sharesOf(direct(), WORKER);
    copy.write(FILE, unpinned);
    const text = await refused(recover);
    expect(text).toMatch(/^\[stack_pinned\] pin \d+: the account says that trial is pinned .* this update ends it/m);
    expect(text).toMatch(/^The account says that trial is pinned to version \d+, .* Nothing was changed\.$/m);
    expect(await sharesOf(direct(), WORKER)).toEqual(served);
    await done(`pulumi stack import --stack ${STACK} --file ${state}`);
    copy.write(FILE, pinned);
    await done(`npm run -s rollback -- --stack ${STACK} --unpin --yes`);
    copy.write(FILE, unpinned);
    expect(await done(UP)).toContain("7 unchanged");
  });

  it("is not rebuilt from a checkout that knows nothing of a rollout: its release would get all traffic", async () => {
    const unjudged = copy.read(FILE);
    capacity(70);
    await done(`pulumi config set rollout 10 --stack ${STACK}`);
    await done(UP);
    const state = join(ground.folder("rolled-out"), "state.json");
    await done(`pulumi stack export --stack ${STACK} --file ${state}`);
    await bucket.empty();
    await done(`pulumi stack init ${STACK}`);
    const served = await sharesOf(direct(), WORKER);
    await done(`pulumi config rm rollout --stack ${STACK}`);
    expect(await refused(recover)).toMatch(/^In trial a rollout is under way, .* Nothing was changed\.$/m);
    expect(await sharesOf(direct(), WORKER)).toEqual(served);
    await done(`pulumi stack import --stack ${STACK} --file ${state}`);
    await done(`npm run -s rollout -- abandon --stack ${STACK} --yes`);
    copy.write(FILE, unjudged);
    await done(UP);
    expect(await done(UP)).toContain("7 unchanged");
  });

  it("is rebuilt by npm run recover", async () => {
    await bucket.empty();
    const before = await reads();
    expect(await refused(recover)).toContain(`state is lost: \`pulumi stack init ${STACK}\``);
    // The settings file has the salt of the passphrase, so the secrets in it can be read as before.
    await done(`pulumi stack init ${STACK}`);
    expect(await done(recover)).toContain(`The state of ${STACK} has its resources again`);
    expect(await reads()).toEqual(before);
    expect(await done(UP)).toContain("7 unchanged");
    expect(await objects()).toEqual(first);
  });

  it("so is one whose passphrase is lost: in another folder of the bucket, with new secrets", {
    tags: ["nightly"],
  }, async () => {
    const text = copy.read(FILE);
    const another = {
      PULUMI_BACKEND_URL: bucket.backend.replace("?", "/second?"),
      PULUMI_CONFIG_PASSPHRASE: "another phrase",
    };
    expect(
      (
        await run(`pulumi config get adminToken --stack ${STACK}`, {
          ...another,
          PULUMI_BACKEND_URL: bucket.backend,
        })
      ).text,
    ).toContain("incorrect passphrase");
    const without = text.replace(/^encryptionsalt: .*\n/m, "").replace(/^ +\S*adminToken:\n +secure: .*\n/m, "");
    expect(without).not.toMatch(/secure:|encryptionsalt/);
    copy.write(FILE, without);
    await done(`pulumi stack init ${STACK}`, another);
    await done(`printf '${ADMIN_TOKEN}-new' | pulumi config set --secret adminToken --stack ${STACK}`, another);
    await done(`npm run -s recover -- --stack ${STACK} --yes`, another);
    expect(await objects()).toEqual(first);
    expect(await done(UP, another)).toContain("7 unchanged");
  });
});
