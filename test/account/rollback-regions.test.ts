/** A way back, or a split, over two region tables: it hides no objects unless somebody has named them. */
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { adminTokenOf } from "../../infra/apply/admin-token.ts";
import { changeSetting } from "../../infra/stack/settings-file.ts";
import { keep } from "../kept.ts";
import { LocalStack, WORKER } from "./local-stack.ts";

const stack = new LocalStack("rollback-regions");
const { dir, settings } = stack;

beforeAll(async () => {
  await stack.start();
  await stack.deploy(stack.releases.built);
});
afterAll(() => stack.close());

const deploy = async () => (await stack.deploy()).said;
const shares = () => stack.shares();

/** Lets these prefixes be lost from sight; none: nothing may be. */
function allow(...prefixes: readonly string[]): void {
  const others = readFileSync(settings, "utf8").replace(/ {2}allowRegionLoss:.*\n/, "");
  writeFileSync(settings, others.trimEnd() + (prefixes.length ? `\n  allowRegionLoss: [${prefixes}]\n` : "\n"));
}

const PREFIXES = ["eu", "us", "ap"];
const before = PREFIXES.map((prefix) => `loc-${prefix}`);
const after = PREFIXES.map((prefix) => `oth-${prefix}`);

it("a version with another region table gets no share beside the other one", async () => {
  await keep({ port: stack.account.running.port, adminToken: adminTokenOf(dir) });
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
  const kept = await keep({ port: stack.account.running.port, adminToken: adminTokenOf(dir) });
  const file = readFileSync(settings, "utf8");
  expect((await stack.told("rollback", "--list")).text).toMatch(/\n1 .*another region table/);
  expect((await stack.told("rollback", "--list")).text).not.toMatch(/\n2 .*another region table/);
  const { code, text } = await stack.told("rollback", "--yes");
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
  await stack.account.split(WORKER, { [await stack.idOf(1)]: 90, [await stack.idOf(2)]: 10 });
  allow();
  const abandoned = await stack.told("rollout", "abandon", "--yes");
  expect([abandoned.code, abandoned.text]).toEqual([1, expect.stringContaining("[region_prefix_changed] loc-eu")]);
  expect(await shares()).toEqual({ 1: 90, 2: 10 });
  allow(...before);
  expect(await stack.told("rollout", "abandon", "--yes")).toMatchObject({ code: 0 });
  changeSetting(settings, "rollout", undefined);
  expect(await shares()).toEqual({ 2: 100 });
});

it("goes back where the objects that are lost from sight are named", async () => {
  allow(...after);
  expect(await stack.told("rollback", "--yes")).toMatchObject({ code: 0 });
  expect(await shares()).toEqual({ 1: 100 });
  allow();
  // Nothing is lost by staying there.
  expect(await deploy()).toContain("[stack_pinned]");
  expect(await shares()).toEqual({ 1: 100 });
});
