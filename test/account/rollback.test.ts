/** `npm run rollback` on a local account that `npm start` has deployed to, one test after the other. */
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adminTokenOf } from "../../infra/apply/admin-token.ts";
import { lockFolder } from "../../infra/apply/folder-lock.ts";
import { changeSetting } from "../../infra/stack/settings-file.ts";
import { keep } from "../kept.ts";
import type { TestRelease } from "../releases.ts";
import { LocalStack } from "./local-stack.ts";

const stack = new LocalStack("rollback");
const { dir, settings } = stack;

beforeAll(() => stack.start());
afterAll(() => stack.close());

const run = (name: string, ...args: string[]) => stack.run(name, ...args);
const deploy = (release?: TestRelease) => stack.deploy(release);
const shares = () => stack.shares();

async function health(): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${stack.account.running.port}/health`);
  return response.json();
}

describe("a rollback", () => {
  it("of a stack with one version is refused: there is no earlier version", async () => {
    await deploy(stack.releases.variant("one"));
    const { code, stderr } = await run("rollback", "--yes");
    expect(code).toBe(1);
    expect(stderr).toContain("no earlier version");
    expect(await shares()).toEqual({ 1: 100 });
  });

  it("lists the versions with release, step, traffic and floor", async () => {
    await deploy(stack.releases.variant("two"));
    const { code, stdout } = await run("rollback", "--list");
    expect(code).toBe(0);
    const [, two, one] = stdout.split("\n");
    expect(two).toMatch(
      new RegExp(`^2 +${stack.releases.variant("two").digest.slice(0, 12)} +\\d{4}-\\S+ +\\d+ min +100 %`),
    );
    expect(one).toMatch(/^1 .*rollback floor/);
  });

  it("goes to no version of a release that the stack refuses, unless that one is named", async () => {
    changeSetting(settings, "refusedReleases", stack.releases.variant("one").digest.slice(0, 12));
    const { code, stderr } = await run("rollback", "--yes");
    expect(code).toBe(1);
    expect(stderr).toMatch(/of a refused release; --to takes one[\s\S]*\n1 .*refused/);
    expect(await shares()).toEqual({ 2: 100 });
    expect((await run("rollback", "--to", "1")).stderr).toContain("--yes");
    changeSetting(settings, "refusedReleases", undefined);
  });

  it("asks first, and changes nothing if nobody answers", async () => {
    const before = readFileSync(settings, "utf8");
    const { code, stderr } = await run("rollback");
    expect(code).toBe(1);
    expect(stderr).toContain("--yes");
    expect(readFileSync(settings, "utf8")).toBe(before);
  });

  it("refuses options that ask for two things", async () => {
    for (const words of [
      ["--unpin", "--to", "1"],
      ["--list", "--unpin"],
      ["--list", "--to", "1"],
    ]) {
      const { code, stderr } = await run("rollback", ...words, "--yes");
      expect([code, stderr]).toEqual([1, expect.stringContaining("cannot be used with option")]);
    }
    expect(await shares()).toEqual({ 2: 100 });
  });

  it("refuses versions that do not exist, and changes nothing", async () => {
    const { code, stderr } = await run("rollback", "--to", "9", "--yes");
    expect(code).toBe(1);
    expect(stderr).toContain("[pin_version_missing] pin 9");
    expect((await run("rollback", "--to", "first")).stderr).toContain("number of a version");
    expect(await shares()).toEqual({ 2: 100 });
  });

  it("sends all traffic to the previous version, keeps the data, and holds when the stack is updated", async () => {
    const kept = await keep({ port: stack.account.running.port, adminToken: adminTokenOf(dir) });
    const { code, stdout, stderr } = await run("rollback", "--yes");
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("Version 1 has all traffic");
    expect(await health()).toMatchObject({ digest: stack.releases.variant("one").digest });
    await kept.stays();
    const { changed, said } = await deploy();
    expect(changed).toEqual([]);
    expect(said).toContain("[stack_pinned] pin 1");
    expect(await run("drift")).toMatchObject({ code: 0, stdout: "local: no drift\n" });
    expect((await run("rollback", "--yes", "--to", "1")).stdout).toContain("already pinned to version 1");
  });

  it("that is run twice changes nothing, and never brings back what it has left", async () => {
    const before = readFileSync(settings, "utf8");
    expect(await run("rollback", "--yes")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("local is already pinned to version 1, which has all traffic."),
    });
    expect(await shares()).toEqual({ 1: 100 });
    expect(readFileSync(settings, "utf8")).toBe(before);
  });

  it("is known to a checkout without the pin: the account says it, and what an update would do", async () => {
    const text = readFileSync(settings, "utf8");
    changeSetting(settings, "pin", undefined);
    expect((await run("rollback", "--list")).stdout).toMatch(/\n1 .*pinned/);
    expect((await run("rollback", "--yes")).stdout).toMatch(/already pinned to version 1.*these settings have no pin/);
    expect((await run("rollback", "--unpin")).stderr).toContain("End the pin of local to version 1");
    expect((await run("rollout", "status")).stdout).toMatch(/100 %; pinned to version 1, as the account says/);
    for (const words of [["run"], ["run", "--again"], ["set", "10", "--yes"], ["abandon", "--yes"]]) {
      const before = readFileSync(settings, "utf8");
      const { code, stderr } = await run("rollout", ...words);
      expect(stderr).toMatch(
        /^The account says that local is pinned to version 1.*have no pin[\s\S]*local --dir \S+ --to 1\n.*local --dir \S+ --unpin\n$/,
      );
      expect([code, readFileSync(settings, "utf8")]).toEqual([1, before]);
    }
    const up = await run("pulumi", "up", "--yes");
    expect([up.code, up.stderr]).toEqual([1, expect.stringContaining("local is pinned to version 1")]);
    expect(await shares()).toEqual({ 1: 100 });
    expect((await deploy()).said).toMatch(
      /\[stack_pinned\] pin 1: the account says that local is pinned to version 1.*--unpin/,
    );
    expect(await shares()).toEqual({ 2: 100 });
    expect((await deploy()).said).not.toContain("stack_pinned");
    writeFileSync(settings, text);
    await deploy();
    expect(await shares()).toEqual({ 1: 100 });
  });

  it("whose update meets another one does not say that a version lacks the traffic that it has", async () => {
    const text = readFileSync(settings, "utf8");
    changeSetting(settings, "pin", undefined);
    const unlock = lockFolder(dir);
    const { code, stderr } = await run("rollback", "--to", "1", "--yes");
    unlock();
    expect(stderr).toMatch(/Version 1 has all traffic, but the update failed[\s\S]*1 is set as pin in/);
    expect(code).toBe(1);
    writeFileSync(settings, text);
  });

  it("while it holds, a new release is uploaded but gets no traffic, and a rollout is refused", async () => {
    const { changed } = await deploy(stack.releases.variant("three"));
    expect(changed).toEqual([expect.stringMatching(/^create worker /), expect.stringMatching(/^retain worker /)]);
    expect(await shares()).toEqual({ 1: 100 });
    const rollout = await run("rollout", "set", "10", "--yes");
    expect(rollout.code).toBe(1);
    expect(rollout.stderr).toContain("pinned to version 1");
  });

  it("while it holds, takes no host name from another Worker", async () => {
    await stack.account.deploy("other", { tag: "other" });
    const [zone] = (await stack.account.sdk.zones.list({ name: "example.com" })).result;
    const taken = { hostname: "taken.example.com", zone_id: zone?.id ?? "" };
    await stack.account.call("put", "/workers/domains", { ...taken, service: "other" });
    changeSetting(settings, "zoneId", taken.zone_id);
    changeSetting(settings, "hostname", taken.hostname);
    await expect(deploy()).rejects.toThrow(/Nothing was sent[\s\S]*\[address_taken\] hostname taken\.example\.com/);
    for (const key of ["zoneId", "hostname"]) changeSetting(settings, key, undefined);
  });

  it("that no update has carried out is to be carried out first, and not to be lifted", async () => {
    changeSetting(settings, "pin", 2);
    for (const words of [["run"], ["abandon", "--yes"]]) {
      const { code, stderr } = await run("rollout", ...words);
      expect(code).toBe(1);
      expect(stderr).toContain(`version 2 has 0 % of it.\nCarry that out first: npm start -- --into ${dir}\n`);
      expect(stderr).not.toContain("--unpin");
    }
    await deploy();
    expect(await shares()).toEqual({ 2: 100 });
    expect((await run("rollout", "run")).stderr).toContain("--unpin");
    changeSetting(settings, "pin", 1);
    await deploy();
  });

  it("is not lifted for a release that no earlier version can follow, unless somebody says so", async () => {
    const text = readFileSync(settings, "utf8");
    const raising = stack.releases.raising("raising");
    stack.choose(raising);
    const { code, stdout, stderr } = await run("rollback", "--unpin");
    const name = raising.digest.slice(0, 12);
    expect(stdout).toMatch(
      new RegExp(`Without the pin: release ${name} 100 %\\.\n.*\nRelease ${name} goes to all traffic at once`),
    );
    expect(stdout).toContain("No earlier version can serve again.");
    expect(stderr).toContain(`End the pin of local to version 1, and send all traffic to Release ${name}: nobody`);
    expect(code).toBe(1);
    writeFileSync(settings, text);
    expect(await shares()).toEqual({ 1: 100 });
  });

  it("is not lifted for a release that the stack refuses, and stays in the settings", async () => {
    const text = readFileSync(settings, "utf8");
    changeSetting(settings, "refusedReleases", stack.releases.variant("three").digest.slice(0, 12));
    const before = readFileSync(settings, "utf8");
    const { code, stderr } = await run("rollback", "--unpin", "--yes");
    expect([code, stderr]).toEqual([1, expect.stringContaining("[refused_release]")]);
    expect(readFileSync(settings, "utf8")).toBe(before);
    writeFileSync(settings, text);
  });

  it("whose end meets another update stays as it was, and the command that ends it is named", async () => {
    const text = readFileSync(settings, "utf8");
    const unlock = lockFolder(dir);
    const { code, stderr } = await run("rollback", "--unpin", "--yes");
    unlock();
    expect(stderr).toMatch(
      /Another apply is running[\s\S]*update failed.* as it was, and so are the settings in .*, then: npm run rollback .*--unpin/,
    );
    expect(code).toBe(1);
    expect(await shares()).toEqual({ 1: 100 });
    expect(readFileSync(settings, "utf8")).toBe(text);
  });

  it("once it is lifted, the waiting release gets the traffic", async () => {
    const { code, stdout, stderr } = await run("rollback", "--unpin", "--yes");
    expect(code, stderr).toBe(0);
    // It has never had any.
    const name = stack.releases.variant("three").digest.slice(0, 12);
    expect(stdout).toContain(`local is not pinned any more; now it serves release ${name} 100 %.`);
    expect(await shares()).toEqual({ 3: 100 });
    expect(readFileSync(settings, "utf8")).not.toContain("pin");
    expect((await deploy()).changed).toEqual([]);
    expect(await run("rollback", "--unpin", "--yes")).toMatchObject({ code: 0, stdout: "local is not pinned.\n" });
  });

  it("whose update was interrupted is lifted by the same command, though the settings have no pin any more", async () => {
    expect(await run("rollback", "--to", "2", "--yes")).toMatchObject({ code: 0 });
    // What an update leaves that has ended before it was complete.
    changeSetting(settings, "pin", undefined);
    const asked = await run("rollback", "--unpin");
    // The account still says it.
    expect(asked.stdout).toMatch(
      /^Without the pin: release (\w+) 100 %\.\nNow it serves version 2 \(\w+\) 100 %\. Release \1, another one than what serves, gets 100 % of the traffic at once\. It had traffic before, as version 3\.\nIn steps: set rollout: 0 in .* rollout -- run --stack local --dir \S+\n$/,
    );
    expect(asked).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/End the pin of local to version 2, and send all traffic to Release \w+: nobody/),
    });
    expect(await shares()).toEqual({ 2: 100 });
    expect(await run("rollback", "--unpin", "--yes")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("local is not pinned any more; its release has its traffic again."),
    });
    expect(await shares()).toEqual({ 3: 100 });
  });
});
