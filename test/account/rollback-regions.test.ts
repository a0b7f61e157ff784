/** A way back, or a split, over two region tables: it hides no objects unless somebody has named them. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { adminTokenOf } from "../../infra/apply/admin-token.ts";
import { applyHere } from "../../infra/apply/apply-here.ts";
import { projectName } from "../../infra/stack/project.ts";
import { changeSetting } from "../../infra/stack/settings-file.ts";
import { startChecked, TestAccount } from "../../packages/local-account/test/support.ts";
import { keep } from "../kept.ts";
import { makeReleases, type Releases } from "../releases.ts";
import { sharesOf, versionId } from "../served.ts";

const WORKER = projectName();
const dir = mkdtempSync(join(tmpdir(), "rollback-regions-"));
const settings = join(dir, "Pulumi.local.yaml");
let releases: Releases;
let account: TestAccount;

beforeAll(async () => {
  releases = await makeReleases();
  account = new TestAccount(await startChecked({ dir, port: 0, apiPort: 0, defaultWorker: WORKER }));
  writeFileSync(settings, `config:\n  release: ${releases.built.setting}\n`);
  await deploy();
});
afterAll(async () => {
  await account?.close();
  releases?.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** Runs a command as a person does, but nobody answers its question. */
const run = (name: string, ...args: string[]): Promise<{ code: number; text: string }> =>
  new Promise((resolve) => {
    const command = [`infra/commands/${name}.ts`, ...args, "--stack", "local", "--dir", dir];
    const child = execFile(process.execPath, command, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === "number" ? error.code : 0, text: stdout + stderr }),
    );
    child.stdin?.end();
  });

async function deploy(): Promise<string> {
  const { apiUrl, accountId, token } = account.running;
  const said: string[] = [];
  await applyHere(dir, { apiUrl, accountId, token }, (line) => said.push(line));
  return said.join("\n");
}

const idOf = (number: number) => versionId(account, WORKER, number);
const shares = () => sharesOf(account, WORKER);
/** Lets these prefixes be lost from sight; none: nothing may be. */
function allow(...prefixes: readonly string[]): void {
  const others = readFileSync(settings, "utf8").replace(/ {2}allowRegionLoss:.*\n/, "");
  writeFileSync(settings, others.trimEnd() + (prefixes.length ? `\n  allowRegionLoss: [${prefixes}]\n` : "\n"));
}

const PREFIXES = ["eu", "us", "ap"];
const before = PREFIXES.map((prefix) => `loc-${prefix}`);
const after = PREFIXES.map((prefix) => `oth-${prefix}`);

it("a version with another region table gets no share beside the other one", async () => {
  await keep({ port: account.running.port, adminToken: adminTokenOf(dir) });
  changeSetting(settings, "environmentPrefix", "oth-");
  changeSetting(settings, "rollout", 10);
  allow(...before);
  await expect(deploy()).rejects.toThrow(
    /\[lifecycle_needs_full_rollout\] rollout 10: this release has another region table than version 1/,
  );
  expect(await shares()).toEqual({ 1: 100 });
  changeSetting(settings, "rollout", undefined);
  expect(await deploy()).toMatch(/Pulumi\.local\.yaml goes over Pulumi\.local\.yaml in: environmentPrefix$/m);
  expect(await shares()).toEqual({ 2: 100 });
});

it("a rollback over it is refused before anything is changed, and the list says which versions have another", async () => {
  const kept = await keep({ port: account.running.port, adminToken: adminTokenOf(dir) });
  const file = readFileSync(settings, "utf8");
  expect((await run("rollback", "--list")).text).toMatch(/\n1 .*another region table/);
  expect((await run("rollback", "--list")).text).not.toMatch(/\n2 .*another region table/);
  const { code, text } = await run("rollback", "--yes");
  expect(code).toBe(1);
  expect(text).toMatch(
    /Version 1 may not get the traffic[\s\S]*\[region_prefix_changed\] oth-eu: .*set allowRegionLoss: \[oth-eu\]; else .*--unpin/,
  );
  expect(readFileSync(settings, "utf8")).toBe(file);
  expect(await shares()).toEqual({ 2: 100 });
  await kept.stays();
  // A pin that somebody writes into the file is held to the same.
  changeSetting(settings, "pin", 1);
  await expect(deploy()).rejects.toThrow(/Nothing was sent[\s\S]*\[region_prefix_changed\] oth-eu/);
  changeSetting(settings, "pin", undefined);
});

it("an abandoned split that somebody made by hand is held to it, too", async () => {
  await account.split(WORKER, { [await idOf(1)]: 90, [await idOf(2)]: 10 });
  allow();
  const abandoned = await run("rollout", "abandon", "--yes");
  expect([abandoned.code, abandoned.text]).toEqual([1, expect.stringContaining("[region_prefix_changed] loc-eu")]);
  expect(await shares()).toEqual({ 1: 90, 2: 10 });
  allow(...before);
  expect(await run("rollout", "abandon", "--yes")).toMatchObject({ code: 0 });
  changeSetting(settings, "rollout", undefined);
  expect(await shares()).toEqual({ 2: 100 });
});

it("goes back where the objects that are lost from sight are named", async () => {
  allow(...after);
  expect(await run("rollback", "--yes")).toMatchObject({ code: 0 });
  expect(await shares()).toEqual({ 1: 100 });
  allow();
  // Nothing is lost by staying there.
  expect(await deploy()).toContain("[stack_pinned]");
  expect(await shares()).toEqual({ 1: 100 });
});
