/**
 * `npm run rollout -- set` and `abandon`, and updates beside them, on a local account that `npm start` has deployed to:
 * one test after the other, each from version 2, which has all traffic again at its end.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lockFolder } from "../../infra/apply/folder-lock.ts";
import { changeSetting } from "../../infra/stack/settings-file.ts";
import type { TestRelease } from "../releases.ts";
import { LocalStack, WORKER } from "./local-stack.ts";

const stack = new LocalStack("rollout-by-hand");
const { dir, settings } = stack;

beforeAll(async () => {
  await stack.start();
  await deploy(stack.releases.variant("older"));
  await deploy(stack.releases.variant("stable"));
});
afterAll(() => stack.close());

const run = (name: string, ...args: string[]) => stack.run(name, ...args);
const deploy = (release?: TestRelease) => stack.deploy(release);
const shares = () => stack.shares();

/** The number of the newest version. */
const newest = async () => Math.max(...(await stack.versions()).map(({ number }) => number));

describe("a rollout", () => {
  it("that is not under way cannot be changed", async () => {
    const { code, stderr } = await run("rollout", "abandon", "--yes");
    expect(code).toBe(1);
    expect(stderr).toContain("No rollout is under way");
    expect((await run("rollout", "set", "101")).stderr).toContain("0 to 100");
  });

  it("of which a first step has left the trial in the settings is taken out by an abandon, without an update", async () => {
    const before = await shares();
    changeSetting(settings, "rollout", 0);
    changeSetting(settings, "rolloutTrial", true);
    const { code, stdout } = await run("rollout", "abandon", "--yes");
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^No rollout is under way: [\s\S]*rolloutTrial is out of/),
    ]);
    expect(readFileSync(settings, "utf8")).not.toContain("rolloutTrial");
    expect(await shares()).toEqual(before);
    changeSetting(settings, "rollout", undefined);
  });

  it("whose share is wrong is refused by the name of the file where it stands", async () => {
    changeSetting(settings, "rollout", 101);
    const fix = `(it is 101). Fix: correct rollout in ${settings}.`;
    await expect(deploy()).rejects.toThrow(
      `${settings} has 1 mistake:\n  rollout must be a whole number from 0 to 100 ${fix}`,
    );
    expect(await run("rollout", "status")).toMatchObject({ code: 1, stderr: expect.stringContaining(fix) });
    changeSetting(settings, "rollout", undefined);
  });

  it("of settings that the release has no place for is refused by the name of the file where they stand", async () => {
    const before = readFileSync(settings, "utf8");
    writeFileSync(settings, `${before}  vars: { GRETING: hello }\n`);
    const named = `correct its name in ${settings}, or remove it`;
    await expect(deploy()).rejects.toThrow(named);
    expect((await run("migrations", "plan")).stderr).toContain(named);
    writeFileSync(settings, before);
  });

  it("is continued and abandoned by a command, and a later update keeps that", async () => {
    changeSetting(settings, "rollout", 10);
    await deploy(stack.releases.variant("next"));
    expect(await shares()).toEqual({ 3: 10, 2: 90 });
    // Another checkout's settings know of no rollout: nothing gives its release all traffic unasked.
    changeSetting(settings, "rollout", undefined);
    const up = await run("pulumi", "up", "--yes");
    expect([up.code, up.stderr]).toEqual([
      1,
      expect.stringMatching(
        /^In local a rollout is under way, or was left: version 3 10 %, version 2 90 %\. .*\n.*rollout -- run --stack local --dir .*\n.*abandon.*\n.*set 100/,
      ),
    ]);
    expect((await run("drift")).stdout).toMatch(
      /\[traffic_not_as_set\] traffic: .* Fix: .*`npm run rollout -- run --stack local --dir \S+` goes on, `npm run rollout -- abandon/,
    );
    expect(await shares()).toEqual({ 3: 10, 2: 90 });
    expect((await run("rollout", "set", "50", "--yes")).stdout).toMatch(/version 3 .* 50 %, version 2 .* 50 %/);
    expect(await shares()).toEqual({ 3: 50, 2: 50 });
    expect((await run("rollout", "abandon", "--yes")).code).toBe(0);
    expect(await shares()).toEqual({ 2: 100 });
    const { changed, said } = await deploy();
    expect(changed).toEqual([]);
    expect(said).toContain("[release_without_traffic]");
    expect((await run("rollout", "status")).stdout).toMatch(/version 2 .* 100 %; the settings say 0 %/);
  });

  it("goes back whatever is wrong with settings that the way back does without, and only back", async () => {
    const wrong = () => {
      changeSetting(settings, "rolloutSteps", "1 2 3");
      changeSetting(settings, "promotesFrom", "No Name");
      changeSetting(settings, "rolout", 10);
    };
    const right = () => {
      for (const key of ["rolloutSteps", "promotesFrom", "rolout"]) changeSetting(settings, key, undefined);
    };
    const named =
      /^warning: not needed here, and passed over: promotesFrom .* Fix: .*\n(warning: .*\n)*warning: .* rolloutSteps .*\nwarning: .* rolout /m;
    changeSetting(settings, "rollout", 10);
    await deploy(stack.releases.variant("wrong"));
    const next = await newest();
    wrong();
    const status = await run("rollout", "status");
    expect(status).toMatchObject({ code: 0, stderr: expect.stringMatching(named) });
    // The steps that it would count in are not known.
    expect(status.stdout).toMatch(new RegExp(`version ${next} .* 10 %`));
    expect(status.stdout).not.toMatch(/steps?\b.*; next/);
    for (const words of [["run"], ["set", "50", "--yes"]]) {
      expect(await run("rollout", ...words)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/promotesFrom[\s\S]*rolloutSteps/),
      });
    }
    expect(await run("rollout", "abandon", "--yes")).toMatchObject({ code: 0, stderr: expect.stringMatching(named) });
    expect(await shares()).toEqual({ 2: 100 });
    right();
    changeSetting(settings, "rollout", 100);
    await deploy();
    // It was not uploaded again beside the way back, so that it becomes a version anew.
    expect(await shares()).toEqual({ [next + 1]: 100 });

    wrong();
    changeSetting(settings, "rollout", "all");
    expect(await run("rollback", "--list")).toMatchObject({ code: 0 });
    expect(await run("rollback", "--yes")).toMatchObject({ code: 0, stderr: expect.stringMatching(named) });
    expect(await shares()).toEqual({ 2: 100 });
    expect(await run("rollback", "--unpin", "--yes")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/promotesFrom[\s\S]*rollout must be[\s\S]*rolloutSteps/),
    });
    expect(await shares()).toEqual({ 2: 100 });
    right();
    changeSetting(settings, "rollout", 0);
    expect(await run("rollback", "--unpin", "--yes")).toMatchObject({ code: 0 });
    expect(await shares()).toEqual({ 2: 100 });
  });

  it("is abandoned for the stable version also where that one's release is at hand again, and nothing else goes out", async () => {
    changeSetting(settings, "rollout", 10);
    await deploy(stack.releases.variant("tried"));
    const tried = await newest();
    expect(await shares()).toEqual({ [tried]: 10, 2: 90 });
    await expect(deploy(stack.releases.variant("stable"))).rejects.toThrow(
      /rollout_unfinished.*the release at hand is the stable/,
    );
    expect(await run("rollout", "set", "100", "--yes")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /is rolled out, and the release and the settings of the stable version are at hand/,
      ),
    });
    expect((await run("rollout", "abandon")).stderr).toMatch(/Send all of it back to version 2 \(\w+\)/);
    expect(await shares()).toEqual({ [tried]: 10, 2: 90 });
    expect(await run("rollout", "abandon", "--yes")).toMatchObject({ code: 0 });
    expect(await shares()).toEqual({ 2: 100 });
    await deploy();
    expect(await shares()).toEqual({ 2: 100 });
  });

  it("that meets another update changes neither the traffic nor the settings", async () => {
    changeSetting(settings, "rollout", 30);
    await deploy(stack.releases.variant("locked"));
    const before = readFileSync(settings, "utf8");
    const unlock = lockFolder(dir);
    const { code, stderr } = await run("rollout", "abandon", "--yes");
    unlock();
    expect(stderr).toMatch(/Another apply is running[\s\S]*The traffic is as it was, and so are the settings in /);
    expect(code).toBe(1);
    expect(readFileSync(settings, "utf8")).toBe(before);
    expect((await run("rollout", "abandon", "--yes")).code).toBe(0);
    expect(await shares()).toEqual({ 2: 100 });
  });

  it("can be abandoned when another release is built already", async () => {
    changeSetting(settings, "rollout", 20);
    await deploy(stack.releases.variant("five"));
    const next = await newest();
    expect(await shares()).toEqual({ [next]: 20, 2: 80 });
    stack.choose(stack.releases.variant("six"));
    expect((await run("rollout", "abandon", "--yes")).code).toBe(0);
    expect(await shares()).toEqual({ 2: 100 });
    // Neither does one that the plan refuses stand in the way.
    stack.choose(stack.releases.variant("five"));
    changeSetting(settings, "rollout", 20);
    await deploy();
    expect(Object.values(await shares())).toContain(20);
    stack.choose(stack.releases.later("later"));
    const { code, stderr } = await run("rollout", "abandon", "--yes");
    expect(stderr).toMatch(/\[release_not_uploaded\] .*rollout is abandoned: release_step_mismatch/);
    expect(code).toBe(0);
    expect(await shares()).toEqual({ 2: 100 });
    stack.choose(stack.releases.variant("six"));
  });

  it("of an older version, which somebody gave a share by hand, goes back to the newer one that was stable", async () => {
    await stack.account.split(WORKER, { [await stack.idOf(1)]: 20, [await stack.idOf(2)]: 80 });
    expect((await run("rollout", "abandon", "--yes")).code).toBe(0);
    expect(await shares()).toEqual({ 2: 100 });
    await stack.account.split(WORKER, { [await stack.idOf(1)]: 20, [await stack.idOf(2)]: 80 });
    expect(await run("rollback", "--yes")).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Version 2 has/m) });
    expect(await shares()).toEqual({ 2: 100 });
    changeSetting(settings, "pin", undefined);
  });
});
