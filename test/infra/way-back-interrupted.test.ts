/** A change of the traffic whose update is interrupted: nobody takes it for a bug, and every text says what completes it. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { changeShare, goBack, setShare } from "../../infra/rollout/share.ts";
import { LEAST_SHARE } from "../../infra/rollout/steps.ts";
import { Interrupted } from "../../infra/stack/interrupted.ts";
import { changeSetting } from "../../infra/stack/settings-file.ts";
import { UserError } from "../../infra/stack/user-error.ts";

/** How far the update had come; `deploys`: whether it changed the deployment. */
let interrupted = { isDone: false, deploys: false };
/** The update's exit code, where no signal comes. */
let code: number | undefined;
let deployment = "d-1";

vi.mock("../../infra/apply/on-cli.ts", () => ({
  onCli: async () => {
    if (interrupted.deploys) deployment = "d-2";
    if (code !== undefined) return code;
    throw new Interrupted("SIGINT", interrupted.isDone);
  },
}));
/** The share in the settings. */
let before = { rollout: 50, rolloutTrial: false };
vi.mock("../../infra/stack/open.ts", () => ({ openStack: () => ({ settings: before }) }));

const dir = mkdtempSync(join(tmpdir(), "way-back-"));
const file = join(dir, "Pulumi.local.yaml");
const UPDATE = `npm run up -- --stack local --dir ${dir}`;
afterAll(() => rmSync(dir, { recursive: true, force: true }));
beforeEach(() => {
  interrupted = { isDone: false, deploys: false };
  code = undefined;
  before = { rollout: 50, rolloutTrial: false };
  deployment = "d-1";
  rmSync(file, { force: true });
  changeSetting(file, "rollout", 50);
});

const settings = () => parse(readFileSync(file, "utf8")).config;

/** What is said of the interruption of `work`. */
async function said(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Interrupted);
  expect(error).toMatchObject({ signal: "SIGINT", isDone: interrupted.isDone });
  return error instanceof Error ? error.message : "";
}

describe("an interrupted way back", () => {
  it.each([
    [undefined, "rollout is 0", "npm run rollout -- abandon --stack local"],
    [16, "pin is 16", "npm run rollback -- --stack local --to 16"],
  ])("says that the setting is the way back, and what completes it (pin %j)", async (pin, setting, anew) => {
    const told = (_: unknown, isDone: boolean) => `It is refused (${isDone ? "done" : "not done"}).`;
    const before = { number: 16, versionId: "v-16" };
    const way = { before, isWhole: pin !== undefined, serving: async () => [], share: 50, told };
    const text = await said(goBack("local", dir, way));
    expect(text).toContain("has ended before it was complete");
    expect(text).toContain(
      `\n${setting} in ${file}, and that is the way back: leave it there. To complete it: ${UPDATE}\nWhere that file is not kept, as in a CI job: ${anew}\nIt is refused (not done).`,
    );
    // The release is refused by now: the same command would not go on.
    expect(text).not.toContain("same command");

    interrupted = { isDone: true, deploys: true };
    const done = await said(goBack("local", dir, way));
    expect(done).toContain("was complete all the same");
    expect(done).toMatch(/leave it there\.\nIt is refused \(done\)\.$/);
  });
});

describe("a way back whose update succeeds", () => {
  const before = { number: 16, versionId: "v-16" };
  const told = () => "It is refused.";
  const serves = (number: number, percentage: number) => ({ versionId: `v-${number}`, number, percentage, tag: "t" });
  beforeEach(() => {
    code = 0;
  });

  it("says nothing else where the account says so, too", async () => {
    const way = { before, isWhole: false, serving: async () => [serves(16, 100)], share: 50, told };
    expect(await goBack("local", dir, way)).toBe("It is refused.");
  });

  it.each([
    [[serves(17, 100)], "version 17 100 %"],
    [[serves(17, 10), serves(16, 90)], "version 17 10 %, version 16 90 %"],
  ])("does not claim it where other versions serve, and says what sends the traffic back", async (now, shares) => {
    const way = { before, isWhole: false, serving: async () => now, share: 50, told };
    await expect(goBack("local", dir, way)).rejects.toThrow(
      `did not go back to version 16, though the update was complete: now it is ${shares}. Send it there: npm run rollback -- --stack local --to 16\nIt is refused.`,
    );
  });

  it("does not claim it where the account cannot be read", async () => {
    const serving = () => Promise.reject(new UserError("Cloudflare answered 429."));
    await expect(goBack("local", dir, { before, isWhole: false, serving, share: 50, told })).rejects.toThrow(
      /whether version 16 has all of it cannot be read: Cloudflare answered 429\.\nSee: npm run rollout -- status/,
    );
  });
});

describe("an interrupted step of a rollout", () => {
  it("goes on with the same command", async () => {
    const text = await said(
      setShare("local", dir, 50, { again: () => "run the same command again to go on, or: abandon it" }),
    );
    expect(text).toMatch(/\nRun the same command again to go on, or: abandon it$/);
  });
});

describe("a share without users whose update fails", () => {
  it("is told as it was written", async () => {
    code = 1;
    await expect(setShare("local", dir, LEAST_SHARE, { again: () => "go on" })).rejects.toThrow(
      `The update failed. rollout is 0 and rolloutTrial is true in ${file}: go on`,
    );
    expect(settings()).toEqual({ rollout: 0, rolloutTrial: true });
  });

  it("is told as it is again where the update changed nothing", async () => {
    code = 1;
    before = { rollout: 0, rolloutTrial: true };
    changeSetting(file, "rollout", 0);
    changeSetting(file, "rolloutTrial", true);
    await expect(changeShare("local", dir, 10, async () => deployment)).rejects.toThrow(
      `so is the setting: rollout is 0 and rolloutTrial is true in ${file}. `,
    );
    expect(settings()).toEqual({ rollout: 0, rolloutTrial: true });
  });
});

describe("an interrupted change of the share", () => {
  const changed = (share: number) => said(changeShare("local", dir, share, async () => deployment));

  it("that changed nothing puts the setting back", async () => {
    expect(await changed(0)).toMatch(
      /The traffic is as it was, and so is the setting: rollout is 50 in .*same command/,
    );
    expect(settings()).toEqual({ rollout: 50 });
  });

  it("that may have changed the traffic keeps the setting, and names the update that completes it", async () => {
    interrupted = { isDone: false, deploys: true };
    const text = await changed(0);
    expect(text).toContain(`rollout is 0 in ${file}. To complete it: ${UPDATE}`);
    expect(text).not.toContain("same command");
    expect(settings()).toEqual({ rollout: 0 });
  });

  it("that was complete leaves nothing to do: no rollout is under way then", async () => {
    interrupted = { isDone: true, deploys: true };
    const text = await changed(100);
    expect(text).toMatch(/was complete all the same[\s\S]*status --stack local$/);
    expect(settings()).toEqual({ rollout: 100 });
  });
});

it("a change of the share that fails after it has changed the traffic names the update, too", async () => {
  interrupted = { isDone: false, deploys: true };
  code = 1;
  const change = changeShare("local", dir, 100, async () => deployment);
  await expect(change).rejects.toThrow(
    `the traffic may be another: npm run rollout -- status --stack local\nTo complete it: ${UPDATE}`,
  );
  expect(settings()).toEqual({ rollout: 100 });
});
