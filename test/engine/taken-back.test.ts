/** Real wrangler changes a stack of the real engine, and the next update takes the traffic back. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectAdmin } from "../admin-token.ts";
import { type Kept, keep } from "../kept.ts";
import { ProjectCopy } from "../project-copy.ts";
import { makeReleases, type Releases } from "../releases.ts";
import { wrangler } from "../wrangler/wrangler.ts";
import { Site } from "./site.ts";

const changes = (steps: readonly string[]) => steps.filter((step) => !step.startsWith("same"));
const DEPLOYMENT_ONLY = [
  "create-replacement WorkersDeployment worker",
  "delete-replaced WorkersDeployment worker",
  "replace WorkersDeployment worker",
];
/** `wrangler deploy` changes the Worker's own settings as well. */
const SETTINGS_TOO = ["update Worker worker"];
const THEIRS = "a-token-that-wrangler-has-put";

let releases: Releases;
let site: Site;
/** The copy in which wrangler runs. */
let copy: ProjectCopy;
let kept: Kept;
beforeAll(async () => {
  releases = await makeReleases();
  copy = new ProjectCopy();
  copy.bindAsShipped();
  site = await Site.open({ config: { release: releases.built.setting } });
  const up = await site.stack.up();
  expect(up.ok, up.text).toBe(true);
});
afterAll(async () => {
  await site?.close();
  releases?.remove();
  copy?.remove();
});

const run = async (args: readonly string[], input = "") => {
  const ended = await wrangler(site.account, copy.root, [...args, "--name", site.workerName], input);
  expect(ended.code, ended.text).toBe(0);
};

/** Fails unless only the first of the two tokens is accepted as the admin's. */
async function expectOnly(taken: string, other: string): Promise<void> {
  await expectAdmin({ ...site.where, adminToken: taken }, true);
  await expectAdmin({ ...site.where, adminToken: other }, false);
}

/**
 * Updates, then updates again and after a refresh, with nothing left to do. `refreshed`: further changes that the
 * refresh finds and the update after it repairs.
 */
async function takeBack(refreshed: readonly string[] = []): Promise<readonly string[]> {
  const preview = await site.stack.preview();
  expect(preview.ok, preview.text).toBe(true);
  expect(preview.text).toMatch(
    /\[serving_version_not_ours\] version \d+: it has 100 % of the traffic, and wrangler made it/,
  );
  const up = await site.stack.up();
  expect(up.ok, up.text).toBe(true);
  site.proxy.takeWrites();
  expect(changes((await site.stack.up()).steps)).toEqual([]);
  expect(site.proxy.takeWrites()).toEqual([]);
  expect((await site.stack.refresh()).ok).toBe(true);
  const after = await site.stack.up();
  expect(changes(after.steps), after.text).toEqual(refreshed);
  expect(after.text).not.toContain("not_ours");
  return changes(up.steps);
}

describe("a stack that wrangler has changed", () => {
  it("with `wrangler secret put`, gets its traffic and its own secret back", async () => {
    kept = await keep(site.where);
    await run(["secret", "put", "ADMIN_TOKEN"], THEIRS);
    await expectOnly(THEIRS, site.adminToken);
    expect(await site.shares()).toEqual({ 2: 100 });

    expect(await takeBack()).toEqual(DEPLOYMENT_ONLY);
    expect(await site.shares()).toEqual({ 1: 100 });
    await expectOnly(site.adminToken, THEIRS);
    await kept.stays();
  });

  it("with `wrangler deploy` of this repository, need not rename its objects, and keeps them reachable", async () => {
    await run(["deploy"]);
    // Access is not open there, and the token is the one that wrangler had put.
    await run(["secret", "put", "ADMIN_TOKEN"], site.adminToken);
    // wrangler.jsonc has other names, for `wrangler dev`: so this is another object.
    await kept.isMissing();
    const preview = await site.stack.preview();
    expect(preview.text).not.toContain("region_");
    expect(preview.text).toMatch(
      /region table of its own: objects made since have names that this stack does not ask for/,
    );

    expect(await takeBack(SETTINGS_TOO)).toEqual(DEPLOYMENT_ONLY);
    await kept.stays();
    await expectOnly(site.adminToken, THEIRS);
    expect(await site.ask("GET", "/health")).toMatchObject({ digest: releases.built.digest });
  });

  it("in the middle of a rollout, goes on with the same rollout", { tags: ["nightly"] }, async () => {
    const next = releases.variant("next");
    site.set({ release: next.setting, rollout: 10 });
    const begun = await site.stack.up();
    expect(begun.ok, begun.text).toBe(true);
    const shares = await site.shares();
    expect(Object.values(shares).sort()).toEqual([10, 90]);

    await run(["deploy"]);
    expect(Object.values(await site.shares())).toEqual([100]);
    expect(await takeBack(SETTINGS_TOO)).toEqual(DEPLOYMENT_ONLY);
    expect(await site.shares()).toEqual(shares);
  });

  it("with a new release built, gets that release, without `force`", { tags: ["nightly"] }, async () => {
    site.set({ rollout: 100 });
    expect((await site.stack.up()).ok).toBe(true);
    await run(["deploy"]);
    const last = releases.variant("last");
    site.set({ release: last.setting });
    const from = site.proxy.seen.length;
    await takeBack(SETTINGS_TOO);
    const forced = site.proxy.seen.slice(from).filter(({ path }) => path.includes("force=true"));
    expect(forced).toEqual([]);
    expect(await site.ask("GET", "/health")).toMatchObject({ digest: last.digest });
    await expectOnly(site.adminToken, THEIRS);
  });
});
