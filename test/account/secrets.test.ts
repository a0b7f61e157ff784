/** The secrets of the stack `local`: which version gets them, and whose it never gets. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { changeSetting } from "../../infra/stack/settings-file.ts";
import { takesToken } from "../admin-token.ts";
import { LocalStack } from "./local-stack.ts";

const stack = new LocalStack("secrets");
const { dir, settings } = stack;

beforeAll(async () => {
  await stack.start();
  stack.choose(stack.releases.built);
});
afterAll(() => stack.close());
afterEach(() => vi.unstubAllEnvs());

const textOf = (name: string) => `${name}-token-of-the-one-admin`;
/** Gives the stack this admin token. */
const token = (name: string) => writeFileSync(join(dir, "admin-token"), `${textOf(name)}\n`);

const deploy = async () => (await stack.deploy()).said;
const shares = () => stack.shares();
const count = async () => (await stack.versions()).length;

/** Whether the Worker takes this admin token. */
const takes = (name: string) => takesToken(`http://127.0.0.1:${stack.account.running.port}`, textOf(name));

it("changed, leave a pinned stack where it is, and go out once the pin is released", async () => {
  token("first");
  // With its classes, and so with all traffic at once.
  await deploy();
  token("second");
  await deploy();
  expect(await shares()).toEqual({ 2: 100 });
  expect(await stack.told("rollback", "--to", "1", "--yes")).toMatchObject({ code: 0 });
  token("third");
  const said = await deploy();
  expect(said).toMatch(/traffic +stays: version 1 \(\w+\) 100 %/);
  expect(await shares()).toEqual({ 1: 100 });
  expect(await count()).toBe(2);
  expect(await deploy()).not.toMatch(/^(create|replace) /m);

  expect(await stack.told("rollback", "--unpin", "--yes")).toMatchObject({
    code: 0,
    text: expect.stringContaining("the release becomes a version once more: a secret of the stack has changed"),
  });
  expect(await shares()).toEqual({ 3: 100 });
  expect([await takes("second"), await takes("third")]).toEqual([false, true]);
});

it("changed for a rollback, leave the traffic where that sends it", async () => {
  token("fourth");
  expect(await stack.told("rollback", "--to", "2", "--yes")).toMatchObject({ code: 0 });
  expect(await shares()).toEqual({ 2: 100 });
  expect(await stack.told("rollback", "--unpin", "--yes")).toMatchObject({ code: 0 });
  expect(await takes("fourth")).toBe(true);
});

it("changed, wait for the share of a release that is to get no traffic", async () => {
  const before = await shares();
  changeSetting(settings, "rollout", 0);
  token("fifth");
  expect(await deploy()).toContain("[release_without_traffic]");
  expect(await shares()).toEqual(before);
  expect([await takes("fourth"), await takes("fifth")]).toEqual([true, false]);
  changeSetting(settings, "rollout", undefined);
  await deploy();
  expect([await takes("fourth"), await takes("fifth")]).toEqual([false, true]);
});

it("are none of another stack's that is exported", async () => {
  vi.stubEnv("ADMIN_TOKEN", textOf("production"));
  vi.stubEnv("ADMIN_TOKEN_PREVIOUS", textOf("older"));
  // Anything that makes a version.
  changeSetting(settings, "anonymousDays", 9);
  await deploy();
  expect(await Promise.all(["fifth", "production", "older"].map(takes))).toEqual([true, false, false]);
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const texts = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), "latin1"));
  for (const name of ["production", "older"]) expect(texts.some((text) => text.includes(textOf(name)))).toBe(false);
});
