/**
 * kill -9 at every moment at which a deployment writes: afterwards the account is as before the deployment or as after
 * it, with the objects' data, and the same deployment completes it.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { expect, it, onTestFinished } from "vitest";
import { deployWithAssets, uploaded } from "../assets.ts";
import { isAlive } from "../processes.ts";
import { startChecked, TestAccount } from "../support.ts";
import { AFTER, BEFORE, DEPLOYMENTS, FILES_BEFORE } from "./crash-programs.ts";

async function onAccount<T>(dir: string, work: (test: TestAccount) => Promise<T>): Promise<T> {
  const test = new TestAccount(await startChecked({ dir, port: 0, apiPort: 0 }));
  try {
    return await work(test);
  } finally {
    await test.close();
  }
}

/** Runs the deployment in a process that kills itself. Returns whether it was completed, and after how many moments. */
async function deployAndKill(
  dir: string,
  killAt: number,
  ...what: readonly string[]
): Promise<{ done: number | undefined; runtimes: number[] }> {
  const child = spawn(
    process.execPath,
    [path.join(import.meta.dirname, "crash-child.ts"), dir, String(killAt), ...what],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let done: number | undefined;
  const runtimes: number[] = [];
  createInterface(child.stdout).on("line", (line) => {
    const [word, number] = line.split(" ");
    if (word === "done") done = Number(number);
    if (word === "runtime") runtimes.push(Number(number));
  });
  await new Promise((resolve) => child.once("close", resolve));
  return { done, runtimes };
}

it("is before or after, never between", { timeout: 600_000, tags: ["nightly"] }, async () => {
  const root = mkdtempSync(path.join(tmpdir(), "local-account-crash-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const prepared = path.join(root, "prepared");
  await onAccount(prepared, async (test) => {
    await test.deploy("app", BEFORE);
    for (let i = 0; i < 3; i++) await test.ask("app", "/Old/x");
  });

  const seen: string[] = [];
  for (let killAt = 1; ; killAt++) {
    const dir = path.join(root, `kill-${killAt}`);
    cpSync(prepared, dir, { recursive: true });
    const { done, runtimes } = await deployAndKill(dir, killAt);
    if (done !== undefined) {
      expect(killAt, "the last moment was reached").toBe(done + 1);
      break;
    }
    expect(runtimes, "the account had a runtime").not.toEqual([]);
    for (const pid of runtimes) await expect.poll(() => isAlive(pid), { message: `workerd ${pid}` }).toBe(false);

    await onAccount(dir, async (test) => {
      const [namespace] = Object.keys(await test.namespaces());
      const before = namespace === "app/Old";
      seen.push(before ? "before" : "after");
      const name = before ? "Old" : "New";
      expect((await test.ask("app", `/${name}/x`)).json()).toMatchObject({
        count: 4,
        class: name,
        tag: before ? "before" : "after",
      });
      const versions = await test.sdk.workers.beta.workers.versions.list("app", { account_id: test.id });
      expect(versions.result).toHaveLength(before ? 1 : 2);

      await test.deploy("app", AFTER);
      expect((await test.ask("app", "/New/x")).json()).toMatchObject({ count: 5, tag: "after" });
    });
    rmSync(dir, { recursive: true });
  }
  // A kill at a moment up to the commit leaves the old state, at a later one the new state.
  expect(seen).toEqual([...seen].sort().reverse());
  expect(new Set(seen)).toEqual(new Set(["before", "after"]));
  console.log(
    `Killed at ${seen.length} moments: ${seen.filter((state) => state === "before").length} before, ${seen.filter((state) => state === "after").length} after.`,
  );
});

it("has all of a version's assets or none, around every commit of their upload", {
  timeout: 120_000,
  tags: ["nightly"],
}, async () => {
  const root = mkdtempSync(path.join(tmpdir(), "local-account-crash-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const prepared = path.join(root, "prepared");
  await onAccount(prepared, async (test) => {
    await deployWithAssets(test, "site", { assets: { jwt: await uploaded(test, FILES_BEFORE) } });
  });
  const served = async (test: TestAccount) =>
    Promise.all(["/", "/page", "/same.txt"].map(async (at) => (await test.ask("site", at)).text));

  const seen: string[] = [];
  for (let killAt = 1; ; killAt++) {
    const dir = path.join(root, `kill-${killAt}`);
    cpSync(prepared, dir, { recursive: true, verbatimSymlinks: true });
    const { done } = await deployAndKill(dir, killAt, "assets", "commit");
    if (done !== undefined) break;
    await onAccount(dir, async (test) => {
      const [page = "", ...others] = await served(test);
      seen.push(page);
      expect(others).toEqual([page, "same"]);
      await DEPLOYMENTS.assets?.(test);
      expect(await served(test)).toEqual(["new", "new", "same"]);
      expect(readdirSync(path.join(dir, "assets/files")), "contents, each once, and nothing unfinished").toHaveLength(
        3,
      );
    });
  }
  // Before and after the commits of the session, of the file and of the version.
  expect(seen).toEqual(["old", "old", "old", "old", "old", "new"]);
});
