/** `npm run rollback`, `rollout` and `drift` on a local account that `npm start` has deployed to, one after the other. */
import { readFileSync, writeFileSync } from "node:fs";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { adminTokenOf } from "../../infra/apply/admin-token.ts";
import { lockFolder } from "../../infra/apply/folder-lock.ts";
import { projectName } from "../../infra/stack/project.ts";
import { changeSetting } from "../../infra/stack/settings-file.ts";
import { codeOf } from "../../packages/local-account/test/support.ts";
import { type Kept, keep } from "../kept.ts";
import type { TestRelease } from "../releases.ts";
import { sharesOf, versionId, versionsOf } from "../served.ts";
import { LocalStack, WORKER } from "./local-stack.ts";

const stack = new LocalStack("rollback");
const { dir, settings } = stack;
let kept: Kept;

beforeAll(() => stack.start());
afterAll(() => stack.close());

const run = (name: string, ...args: string[]) => stack.run(name, ...args);

/** Deploys a release like `npm start`. Returns what it printed, and what it changed. */
async function deploy(release?: TestRelease): Promise<{ said: string; changed: readonly string[] }> {
  if (release) {
    const text = readFileSync(settings, { encoding: "utf8", flag: "a+" });
    const others = text.split("\n").filter((line) => line.startsWith("  ") && !line.startsWith("  release:"));
    writeFileSync(settings, ["config:", `  release: ${release.setting}`, ...others, ""].join("\n"));
  }
  return stack.deploy();
}

async function ask(method: string, path: string): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${stack.account.running.port}${path}`, { method });
  return v.parse(v.record(v.string(), v.unknown()), await response.json());
}

const versions = () => versionsOf(stack.account, WORKER);
const idOf = (number: number) => versionId(stack.account, WORKER, number);
const shares = () => sharesOf(stack.account, WORKER);

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
    kept = await keep({ port: stack.account.running.port, adminToken: adminTokenOf(dir) });
    const { code, stdout, stderr } = await run("rollback", "--yes");
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("Version 1 has all traffic");
    expect(await ask("GET", "/health")).toMatchObject({ digest: stack.releases.variant("one").digest });
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
    expect((await run("rollback", "--unpin")).stderr).toContain("Release the pin of local to version 1");
    expect((await run("rollout", "status")).stdout).toMatch(/100 %; pinned to version 1, as the account says/);
    for (const words of [["run"], ["run", "--again"], ["set", "10", "--yes"], ["abandon", "--yes"]]) {
      const before = readFileSync(settings, "utf8");
      const { code, stderr } = await run("rollout", ...words);
      expect(stderr).toMatch(
        /^The account says that local is pinned to version 1.*have no pin[\s\S]*local --to 1\n.*local --unpin\n$/,
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
    const { setting, digest } = stack.releases.raising("raising");
    writeFileSync(settings, text.replace(/release: .*/, `release: ${setting}`));
    const { code, stdout, stderr } = await run("rollback", "--unpin");
    const name = digest.slice(0, 12);
    expect(stdout).toMatch(
      new RegExp(`Without the pin: release ${name} 100 %\\.\n.*\nRelease ${name} goes to all traffic at once`),
    );
    expect(stdout).toContain("No earlier version can serve again.");
    expect(stderr).toContain(`Release the pin of local to version 1, and send all traffic to Release ${name}: nobody`);
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
      /^Without the pin: release (\w+) 100 %\.\nNow it serves version 2 \(\w+\) 100 %\. Release \1, another one than what serves, gets 100 % of the traffic at once\. It had traffic before, as version 3\.\nIn steps: set rollout: 0 in .* rollout -- run --stack local\n$/,
    );
    expect(asked).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /Release the pin of local to version 2, and send all traffic to Release \w+: nobody/,
      ),
    });
    expect(await shares()).toEqual({ 2: 100 });
    expect(await run("rollback", "--unpin", "--yes")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("local is not pinned any more; its release has its traffic again."),
    });
    expect(await shares()).toEqual({ 3: 100 });
  });
});

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
    await deploy(stack.releases.variant("four"));
    expect(await shares()).toEqual({ 4: 10, 3: 90 });
    // Another checkout's settings know of no rollout: nothing gives its release all traffic unasked.
    changeSetting(settings, "rollout", undefined);
    const up = await run("pulumi", "up", "--yes");
    expect([up.code, up.stderr]).toEqual([
      1,
      expect.stringMatching(
        /^In local a rollout is under way, or was left: version 4 10 %, version 3 90 %\. .*\n.*rollout -- run --stack local --dir .*\n.*abandon.*\n.*set 100/,
      ),
    ]);
    expect((await run("drift")).stdout).toMatch(
      /\[traffic_not_as_set\] traffic: .* Fix: .*`npm run rollout -- run --stack local --dir \S+` goes on, `npm run rollout -- abandon/,
    );
    expect(await shares()).toEqual({ 4: 10, 3: 90 });
    expect((await run("rollout", "set", "50", "--yes")).stdout).toMatch(/version 4 .* 50 %, version 3 .* 50 %/);
    expect(await shares()).toEqual({ 4: 50, 3: 50 });
    expect((await run("rollout", "abandon", "--yes")).code).toBe(0);
    expect(await shares()).toEqual({ 3: 100 });
    const { changed, said } = await deploy();
    expect(changed).toEqual([]);
    expect(said).toContain("[release_without_traffic]");
    expect((await run("rollout", "status")).stdout).toMatch(/version 3 .* 100 %; the settings say 0 %/);
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
    const next = (await versions()).reduce((last, { number }) => Math.max(last, number), 0);
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
    expect(await shares()).toEqual({ 3: 100 });
    right();
    changeSetting(settings, "rollout", 100);
    await deploy();
    // It was not uploaded again beside the way back, so that it becomes a version anew.
    expect(await shares()).toEqual({ [next + 1]: 100 });

    wrong();
    changeSetting(settings, "rollout", "all");
    expect(await run("rollback", "--list")).toMatchObject({ code: 0 });
    expect(await run("rollback", "--yes")).toMatchObject({ code: 0, stderr: expect.stringMatching(named) });
    expect(await shares()).toEqual({ 3: 100 });
    expect(await run("rollback", "--unpin", "--yes")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/promotesFrom[\s\S]*rollout must be[\s\S]*rolloutSteps/),
    });
    expect(await shares()).toEqual({ 3: 100 });
    right();
    changeSetting(settings, "rollout", 0);
    expect(await run("rollback", "--unpin", "--yes")).toMatchObject({ code: 0 });
    expect(await shares()).toEqual({ 3: 100 });
  });

  it("is abandoned for the stable version also where that one's release is at hand again, and nothing else goes out", async () => {
    changeSetting(settings, "rollout", 10);
    await deploy(stack.releases.variant("tried"));
    const tried = (await versions()).reduce((last, { number }) => Math.max(last, number), 0);
    expect(await shares()).toEqual({ [tried]: 10, 3: 90 });
    await expect(deploy(stack.releases.variant("three"))).rejects.toThrow(
      /rollout_unfinished.*the release at hand is the stable/,
    );
    expect(await run("rollout", "set", "100", "--yes")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /is rolled out, and the release and the settings of the stable version are at hand/,
      ),
    });
    expect((await run("rollout", "abandon")).stderr).toMatch(/Send all of it back to version 3 \(\w+\)/);
    expect(await shares()).toEqual({ [tried]: 10, 3: 90 });
    expect(await run("rollout", "abandon", "--yes")).toMatchObject({ code: 0 });
    expect(await shares()).toEqual({ 3: 100 });
    await deploy();
    expect(await shares()).toEqual({ 3: 100 });
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
    expect(await shares()).toEqual({ 3: 100 });
  });

  it("can be abandoned when another release is built already", async () => {
    changeSetting(settings, "rollout", 20);
    await deploy(stack.releases.variant("five"));
    const next = (await versions()).reduce((last, { number }) => Math.max(last, number), 0);
    expect(await shares()).toEqual({ [next]: 20, 3: 80 });
    const at = (release: TestRelease) =>
      writeFileSync(settings, readFileSync(settings, "utf8").replace(/release: .*/, `release: ${release.setting}`));
    at(stack.releases.variant("six"));
    expect((await run("rollout", "abandon", "--yes")).code).toBe(0);
    expect(await shares()).toEqual({ 3: 100 });
    // Neither does one that the plan refuses stand in the way.
    at(stack.releases.variant("five"));
    changeSetting(settings, "rollout", 20);
    await deploy();
    expect(Object.values(await shares())).toContain(20);
    at(stack.releases.later("later"));
    const { code, stderr } = await run("rollout", "abandon", "--yes");
    expect(stderr).toMatch(/\[release_not_uploaded\] .*rollout is abandoned: release_step_mismatch/);
    expect(code).toBe(0);
    expect(await shares()).toEqual({ 3: 100 });
    at(stack.releases.variant("six"));
  });

  it("of an older version, which somebody gave a share by hand, goes back to the newer one that was stable", async () => {
    await stack.account.split(WORKER, { [await idOf(2)]: 20, [await idOf(3)]: 80 });
    expect((await run("rollout", "abandon", "--yes")).code).toBe(0);
    expect(await shares()).toEqual({ 3: 100 });
    await stack.account.split(WORKER, { [await idOf(2)]: 20, [await idOf(3)]: 80 });
    expect(await run("rollback", "--yes")).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Version 3 has/m) });
    expect(await shares()).toEqual({ 3: 100 });
    changeSetting(settings, "pin", undefined);
  });
});

describe("drift", () => {
  /** The number of the version that serves. */
  let last: number;

  /** Deploys a version that is not ours, with these classes. */
  const foreign = (classes: readonly string[], exports: object, bindings: readonly object[] = []) =>
    stack.account.call("post", `/workers/workers/${WORKER}/versions?deploy=true`, {
      main_module: "index.js",
      compatibility_date: "2026-11-01",
      modules: [
        {
          name: "index.js",
          content_type: "application/javascript+module",
          content_base64: Buffer.from(codeOf({ classes, tag: "foreign" })).toString("base64"),
        },
      ],
      bindings,
      exports,
    });

  it("is not found after an update, nor after the next", async () => {
    changeSetting(settings, "rollout", undefined);
    await deploy(stack.releases.variant("six"));
    last = Number(Object.keys(await shares())[0]);
    expect(await run("drift")).toMatchObject({ code: 0, stdout: "local: no drift\n" });
    expect(await run("drift", "--json")).toMatchObject({ code: 0, stdout: '{"stack":"local","drift":[]}\n' });
  });

  it("of the traffic is named, also by the next update, which undoes it", async () => {
    await stack.account.split(WORKER, { [await idOf(3)]: 30, [await idOf(last)]: 70 });
    const { code, stdout } = await run("drift");
    expect(code).toBe(2);
    expect(stdout).toMatch(/^\[deployment_not_ours\] deployment \S+: api made it, not this program: .*version 3 30 %/);
    const { said } = await deploy();
    expect(said).toContain("[deployment_not_ours]");
    expect(await shares()).toEqual({ [last]: 100 });
    expect((await run("drift")).code).toBe(0);
  });

  it("by a rollback in the dashboard is named and undone", async () => {
    await stack.account.split(WORKER, { [await idOf(3)]: 100 });
    expect((await run("drift")).stdout).toContain("[deployment_not_ours]");
    await deploy();
    expect(await shares()).toEqual({ [last]: 100 });
  });

  it("is not that an update left workers.dev on beside a new host name, only that somebody turned it on", async () => {
    const [zone] = (await stack.account.sdk.zones.list({ name: "example.com" })).result;
    changeSetting(settings, "zoneId", zone?.id);
    changeSetting(settings, "hostname", "api.example.com");
    await deploy();
    const noted = await run("drift");
    expect(noted).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^local: no drift\nNote: \S+ still answers on workers\.dev, too: .* --stack local\n$/,
      ),
    });
    expect((await run("drift", "--json")).stdout).toMatch(
      /^\{"stack":"local","drift":\[\],"notes":\["Note: .*"\]\}\n$/,
    );
    await deploy();
    expect(await run("drift")).toMatchObject({ code: 0, stdout: "local: no drift\n" });
    await stack.account.sdk.workers.scripts.subdomain.create(WORKER, { account_id: stack.account.id, enabled: true });
    expect(await run("drift")).toMatchObject({ code: 2, stdout: expect.stringContaining("[resource_changed] Worker") });
    changeSetting(settings, "hostname", undefined);
    changeSetting(settings, "zoneId", undefined);
    await deploy();
    expect((await run("drift")).code).toBe(0);
  });

  it("by a foreign version, a changed address and deleted storage is named, each by its name", async () => {
    const classes = Object.keys(await stack.account.namespaces()).map((name) => name.split("/")[1] ?? "");
    const exports = Object.fromEntries(classes.map((name) => [name, { type: "durable-object", storage: "sqlite" }]));
    await foreign(classes, exports, [{ type: "plain_text", name: "HELLO", text: "there" }]);
    await stack.account.sdk.workers.scripts.subdomain.create(WORKER, { account_id: stack.account.id, enabled: false });
    for await (const { id } of stack.account.sdk.kv.namespaces.list({ account_id: stack.account.id })) {
      await stack.account.sdk.kv.namespaces.delete(id, { account_id: stack.account.id });
    }
    await stack.account.call("delete", "/r2/buckets/durable-stack-local-blobs");
    await stack.account.sdk.workers.domains.update({
      account_id: stack.account.id,
      hostname: "other.example.com",
      service: WORKER,
      zone_name: "example.com",
    });
    const { code, stdout } = await run("drift", "--json");
    expect(code).toBe(2);
    const { drift } = v.parse(
      v.object({ drift: v.array(v.object({ code: v.string(), subject: v.string(), message: v.string() })) }),
      JSON.parse(stdout),
    );
    expect(drift.map(({ code: what, subject }) => `${what} ${subject}`).sort()).toEqual([
      `resource_changed Worker ${WORKER}`,
      `resource_missing KV namespace ${projectName()}-local-reads`,
      `resource_missing bucket ${projectName()}-local-blobs`,
      "resource_unknown custom domain other.example.com",
      expect.stringMatching(/^serving_version_not_ours version \d+/),
    ]);
    const served = drift.find(({ code: what }) => what === "serving_version_not_ours");
    expect(served?.message).toMatch(/100 % of the traffic.*\+HELLO, .*-READS/);
  });

  it("is undone by the next update, which names it first", async () => {
    const { said } = await deploy();
    expect(said).toContain("[serving_version_not_ours]");
    await kept.stays();
    const { stdout } = await run("drift");
    expect(stdout).toMatch(/^\[resource_unknown\] custom domain other.example.com.*\n$/);
  });

  it("of the classes is named, also of a stack that is pinned", async () => {
    const [gone = "", ...others] = Object.keys(await stack.account.namespaces()).map(
      (name) => name.split("/")[1] ?? "",
    );
    const stays = others.map((name) => [name, { type: "durable-object", storage: "sqlite" }] as const);
    await foreign(others, {
      ...Object.fromEntries(stays),
      [gone]: { type: "durable-object", state: "deleted" },
    });
    expect((await run("drift")).stdout).toContain(`[state_diverged] ${gone}`);
    changeSetting(settings, "pin", last);
    expect(await run("drift")).toMatchObject({ code: 2, stdout: expect.stringContaining(`[state_diverged] ${gone}`) });
    changeSetting(settings, "pin", undefined);
  });

  it("cannot be found out with a release of another history than the checkout's, pinned or not: exit code 1", async () => {
    const text = readFileSync(settings, "utf8");
    changeSetting(settings, "release", stack.releases.later("another-history").setting);
    for (const pin of [undefined, last]) {
      changeSetting(settings, "pin", pin);
      expect(await run("drift", "--json")).toEqual({
        code: 1,
        stdout: "",
        stderr: expect.stringMatching(
          /^Whether local has drifted is not known:\n\[release_step_mismatch\] .*Fix: check out [^\n]*release[^\n]*\n$/,
        ),
      });
    }
    writeFileSync(settings, text);
  });

  it("cannot be found out if no account runs, or no release is built: exit code 1", async () => {
    const text = readFileSync(settings, "utf8");
    writeFileSync(settings, stringify({ config: { release: "no/such/release" } }));
    expect(await run("drift")).toMatchObject({ code: 1, stderr: expect.stringContaining("no release in") });
    writeFileSync(settings, text);
    await stack.account.close();
    expect(await run("drift")).toMatchObject({ code: 1, stderr: expect.stringContaining("no local account runs") });
  });
});
