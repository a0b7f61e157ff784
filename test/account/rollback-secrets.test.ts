/** A stack's secrets that change while its traffic stays with an earlier version, which is of the same release. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { applyHere } from "../../infra/apply/apply-here.ts";
import { projectName } from "../../infra/stack/project.ts";
import { changeSetting } from "../../infra/stack/settings-file.ts";
import { startChecked, TestAccount } from "../../packages/local-account/test/support.ts";
import { makeReleases, type Releases } from "../releases.ts";
import { sharesOf, versionsOf } from "../served.ts";

const WORKER = projectName();
const dir = mkdtempSync(join(tmpdir(), "rollback-secrets-"));
const settings = join(dir, "Pulumi.local.yaml");
let releases: Releases;
let account: TestAccount;

beforeAll(async () => {
  releases = await makeReleases();
  account = new TestAccount(await startChecked({ dir, port: 0, apiPort: 0, defaultWorker: WORKER }));
  writeFileSync(settings, `config:\n  release: ${releases.built.setting}\n`);
});
afterAll(async () => {
  await account?.close();
  releases?.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** Runs a command as a person does. */
const run = (name: string, ...args: string[]): Promise<{ code: number; text: string }> =>
  new Promise((resolve) => {
    const command = [`infra/commands/${name}.ts`, ...args, "--stack", "local", "--dir", dir];
    execFile(process.execPath, command, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === "number" ? error.code : 0, text: stdout + stderr }),
    );
  });

/** Gives the stack this admin token. */
const token = (name: string) => writeFileSync(join(dir, "admin-token"), `${name}-of-the-admin-of-this-stack\n`);

async function deploy(): Promise<string> {
  const { apiUrl, accountId, token: own } = account.running;
  const said: string[] = [];
  await applyHere(dir, { apiUrl, accountId, token: own }, (line) => said.push(line));
  return said.join("\n");
}

const shares = () => sharesOf(account, WORKER);
const count = async () => (await versionsOf(account, WORKER)).length;

/** What the Worker answers to whoever has this admin token. */
async function statusWith(name: string): Promise<number> {
  const authorization = `Bearer ${name}-of-the-admin-of-this-stack`;
  const url = `http://127.0.0.1:${account.running.port}/counter/reset`;
  return (await fetch(url, { method: "POST", headers: { authorization } })).status;
}

it("a pinned stack stays where it is: what would have them is made once the pin is released", async () => {
  token("first");
  // With its classes, and so with all traffic at once.
  await deploy();
  token("second");
  await deploy();
  expect(await shares()).toEqual({ 2: 100 });
  expect(await run("rollback", "--to", "1", "--yes")).toMatchObject({ code: 0 });
  token("third");
  const said = await deploy();
  expect(said).toMatch(/traffic +stays: version 1 \(\w+\) 100 %/);
  expect(await shares()).toEqual({ 1: 100 });
  expect(await count()).toBe(2);
  expect(await deploy()).not.toMatch(/^(create|replace) /m);

  expect(await run("rollback", "--unpin", "--yes")).toMatchObject({
    code: 0,
    text: expect.stringContaining("the release becomes a version once more: a secret of the stack has changed"),
  });
  expect(await shares()).toEqual({ 3: 100 });
  expect([await statusWith("second"), await statusWith("third")]).toEqual([401, 200]);
});

it("a rollback stays there whatever token is at hand when it is made", async () => {
  token("fourth");
  expect(await run("rollback", "--to", "2", "--yes")).toMatchObject({ code: 0 });
  expect(await shares()).toEqual({ 2: 100 });
  expect(await run("rollback", "--unpin", "--yes")).toMatchObject({ code: 0 });
  expect(await statusWith("fourth")).toBe(200);
});

it("a stack whose release is to get no traffic stays where it is, and takes them with the share", async () => {
  const before = await shares();
  changeSetting(settings, "rollout", 0);
  token("fifth");
  expect(await deploy()).toContain("[release_without_traffic]");
  expect(await shares()).toEqual(before);
  expect([await statusWith("fourth"), await statusWith("fifth")]).toEqual([200, 401]);
  changeSetting(settings, "rollout", undefined);
  await deploy();
  expect([await statusWith("fourth"), await statusWith("fifth")]).toEqual([401, 200]);
});
