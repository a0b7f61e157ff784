/** `npm run keys` with a local account: it writes the records that the Worker reads. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { RunningAccount } from "@durable-stack/local-account";
import Cloudflare from "cloudflare";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { storedAt } from "../../contract/api-keys.ts";
import { namedAccount } from "../../infra/stack/account.ts";
import { projectName } from "../../infra/stack/project.ts";
import { startChecked, TestAccount } from "../../packages/local-account/test/support.ts";

const dir = mkdtempSync(join(tmpdir(), "keys-"));
let account: RunningAccount;
let namespace = "";
let client: Cloudflare;

const { CLOUDFLARE_ACCOUNT_ID: _1, CLOUDFLARE_API_TOKEN: _2, CLOUDFLARE_API_BASE_URL: _3, ...env } = process.env;

/** Runs the command as a person does. */
const keysIn = (more: Readonly<Record<string, string>>, ...args: string[]) =>
  promisify(execFile)(process.execPath, ["infra/commands/keys.ts", ...args], { env: { ...env, ...more } });
const keysOf = (folder: string, ...args: string[]) => keysIn({}, "--dir", folder, ...args);
const keys = (...args: string[]) => keysOf(dir, ...args);

beforeAll(async () => {
  account = await startChecked({ dir, port: 0, apiPort: 0 });
  client = new Cloudflare({ baseURL: account.apiUrl, apiToken: account.token });
  const { id } = await client.kv.namespaces.create({ account_id: account.accountId, title: "whatever it is called" });
  namespace = id;
  await new TestAccount(account).deploy(projectName(), {
    bindings: [{ type: "kv_namespace", name: "READS", namespace_id: id }],
  });
});

afterAll(async () => {
  await account?.close();
  rmSync(dir, { recursive: true, force: true });
});

describe("npm run keys", () => {
  it("creates a key that the Worker finds, lists it without the key itself, and revokes it", async () => {
    const { stdout } = await keys("create", "--name", "a partner");
    const key = stdout.trim();
    const at = await storedAt(key);
    if (at === undefined) throw new Error(`the Worker would not look up ${key}`);
    const where = { account_id: account.accountId, namespace_id: namespace };
    const record = await (await client.kv.namespaces.values.get(at, where)).json();
    expect(record).toMatchObject({ id: expect.stringMatching(/^[a-z0-9-]{1,64}$/), name: "a partner" });

    const listed = (await keys("list")).stdout;
    expect(listed).toContain("a partner");
    expect(listed).not.toContain(key);
    const [id = ""] = listed.split(" ");
    expect((await keys("revoke", id)).stdout).toContain("a partner");
    const none = await keys("list");
    expect(none.stdout).toBe("");
    expect(none.stderr).toMatch(/^There are no keys\. .*create --name/m);
    await expect(client.kv.namespaces.values.get(at, where)).rejects.toThrow();
  });

  it("says of which Worker and account they are", async () => {
    const told = (called: string) => new RegExp(`^Of the Worker ${projectName()} in ${called}:\n`);
    expect((await keys("list")).stderr).toMatch(told(`the local account in ${dir}`));
    const given = {
      CLOUDFLARE_API_BASE_URL: account.apiUrl,
      CLOUDFLARE_ACCOUNT_ID: account.accountId,
      CLOUDFLARE_API_TOKEN: account.token,
    };
    const worker = ["--worker", projectName()];
    expect((await keysIn(given, ...worker, "list")).stderr).toMatch(told(`the account ${account.accountId}`));
    // A folder that is named goes before an account that happens to be exported.
    const production = { CLOUDFLARE_ACCOUNT_ID: "0".repeat(32), CLOUDFLARE_API_TOKEN: "production's" };
    const named = await keysIn(production, "--dir", dir, "list");
    expect(named.stderr).toMatch(told(`the local account in ${dir}`));
  });

  it("takes the Worker by the name that the stack's settings give it", async () => {
    const file = join(dir, "Pulumi.local.yaml");
    onTestFinished(() => rmSync(file));
    writeFileSync(file, "config:\n  workerName: visits\n");
    await new TestAccount(account).deploy("visits", {
      bindings: [{ type: "kv_namespace", name: "READS", namespace_id: namespace }],
    });
    expect((await keys("list")).stderr).toMatch(/^Of the Worker visits in /);
  });

  it.each([
    [{ CLOUDFLARE_API_TOKEN: "production's" }, /^CLOUDFLARE_API_TOKEN is set and CLOUDFLARE_ACCOUNT_ID is not\. /],
    [{ CLOUDFLARE_ACCOUNT_ID: "0".repeat(32) }, /^CLOUDFLARE_ACCOUNT_ID is set and CLOUDFLARE_API_TOKEN is not\. /],
  ])("takes no local account for the one that is named by half: %j", async (half, stderr) => {
    await expect(keysIn(half, "--worker", projectName(), "create", "--name", "a partner")).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(stderr),
    });
    expect((await keys("list")).stdout).toBe("");
  });

  it.each(["", "  "])("makes no key without a name: %j", async (name) => {
    await expect(keys("create", "--name", name)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^A key needs a name that says whose it is: --name\.\n$/m),
    });
    expect((await keys("list")).stdout).toBe("");
  });

  it("says in the API's words why it takes no name of this length", async () => {
    await expect(keys("create", "--name", "a".repeat(2_000))).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^The account refused it: [^{}]*\bmetadata\b[^{}]*\n$/im),
    });
  });

  it("says what is wrong: unknown key, unknown stack, no account", async () => {
    await expect(keys("revoke", "nope")).rejects.toThrow(/There is no key "nope"/);
    await expect(keys("--worker", "other", "list")).rejects.toThrow(
      /No version of a Worker "other" is bound to a KV namespace/,
    );
    const elsewhere = join(dir, "elsewhere");
    await expect(keysOf(elsewhere, "list")).rejects.toThrow(
      /^no local account runs \(the folder \S+ does not exist\)/m,
    );
    expect(() => namedAccount(elsewhere, false, {})).toThrow(
      /^CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN are not set, and no local account runs \(/,
    );
  });
});
