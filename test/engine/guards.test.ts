/** Refusals of the program on the real engine before anything is sent: quickly, in words, without a stack trace. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeReleases, type Releases } from "../releases.ts";
import { Site } from "./site.ts";

let releases: Releases;
beforeAll(async () => {
  releases = await makeReleases();
});
afterAll(() => releases?.remove());

/** Previews and updates a stack that is refused. Returns the text for people. */
async function refused(site: Site): Promise<string> {
  site.proxy.takeWrites();
  const preview = await site.stack.preview();
  expect(preview.ok).toBe(false);
  const up = await site.stack.up();
  expect(up.ok).toBe(false);
  for (const { text } of [preview, up]) {
    expect(text).not.toMatch(/\n\s+at |node_modules|unhandled/i);
  }
  expect(site.proxy.takeWrites()).toEqual([]);
  return preview.text;
}

describe("a stack that cannot be planned", () => {
  let site: Site;
  let token: string;
  beforeAll(async () => {
    site = await Site.open({ config: { release: releases.built.setting } });
    token = site.account.token;
  });
  afterAll(() => site?.close());
  const withToken = (given: string) => {
    site.stack.secrets = { ...site.stack.secrets, "cloudflare:apiToken": given };
  };

  it("says that it has no token, or an invalid one, and never shows it", async () => {
    withToken("");
    expect(await refused(site)).toMatch(/Nothing was sent[\s\S]*\[token_missing\] CLOUDFLARE_API_TOKEN: /);
    withToken("a-token-that-is-too-short");
    const text = await refused(site);
    expect(text).toMatch(/\[token_malformed\] cloudflare:apiToken: .*40 to 80 .* this one has 25 characters/);
    expect(site.stack.printed).not.toContain("a-token-that-is-too-short");
  });

  it("says that the account does not take its token", async () => {
    withToken(`${token.slice(0, -4)}0000`);
    expect(await refused(site)).toMatch(
      /\[account_unreadable\] account [0-9a-f]{32}: .*answered 40[013]: .*give a token/,
    );
    withToken(token);
  });

  it("says that there is no release in its folder", async () => {
    site.set({ release: "no/such/release" });
    expect(await refused(site)).toMatch(/There is no release in .*no\/such\/release\. Build one with `npm run build`/);
    site.set({ release: releases.built.setting });
  });

  it("says that another Worker has its host name or its route, and leaves both there", async () => {
    const { direct } = site;
    await direct.deploy("other", { tag: "other" });
    const [zone] = (await direct.sdk.zones.list({ name: "example.com" })).result;
    const zoneId = zone?.id ?? "";
    await direct.call("put", "/workers/domains", { hostname: "api.example.com", service: "other", zone_id: zoneId });
    await direct.sdk.workers.routes.create({ zone_id: zoneId, pattern: "example.com/api/*", script: "other" });
    site.set({ zoneId, hostname: "api.example.com", routes: ["example.com/api/*"] });
    const text = await refused(site);
    expect(text).toMatch(/2 errors:/);
    expect(text).toMatch(/\[address_taken\] hostname api\.example\.com: it leads to the Worker other/);
    expect(text).toMatch(/\[address_taken\] route example\.com\/api\/\*: it leads to the Worker other/);
    site.set({ zoneId: "", hostname: "", routes: [] });
  });

  it("says soon that the API fails, and goes on when it recovers", async () => {
    const reads: number[] = [];
    site.proxy.intervene = ({ method }) => {
      if (method !== "GET") return undefined;
      reads.push(Date.now());
      return "refuse";
    };
    const preview = await site.stack.preview();
    expect(preview.text).toMatch(/\[account_unreadable\] .*answered 500: 10013 .*cloudflarestatus\.com/);
    // It tries again, in case the failure was short, but not longer than a person would wait.
    expect(reads.length).toBeGreaterThan(1);
    expect((reads.at(-1) ?? 0) - (reads[0] ?? 0)).toBeLessThan(30_000);
    await refused(site);
    site.proxy.intervene = undefined;
    const well = await site.stack.preview();
    expect(well.ok, well.text).toBe(true);
  });
});

describe("promotion on the real engine", () => {
  let staging: Site;
  let production: Site;
  beforeAll(async () => {
    const config = { release: releases.built.setting, protect: false };
    staging = await Site.open({ name: "staging", config });
    production = await Site.open({ name: "production", beside: staging, config });
    const up = await staging.stack.up();
    expect(up.ok, up.text).toBe(true);
    expect(staging.stack.outputs).toMatchObject({ digest: releases.built.digest, share: 100 });
  });
  afterAll(async () => {
    await production?.close();
    await staging?.close();
  });

  it("from a stack that does not exist is refused by its name", async () => {
    production.set({ promotesFrom: "stagin" });
    expect(await refused(production)).toMatch(/\[promotion_stack_missing\] stagin: .*correct promotesFrom/);
    production.set({ promotesFrom: "staging" });
  });

  it("waits until the other stack serves the release to all its callers", async () => {
    const next = releases.variant("next");
    staging.set({ release: next.setting, rollout: 10 });
    const begun = await staging.stack.up();
    expect(staging.stack.outputs, begun.text).toMatchObject({ digest: next.digest, share: 10 });
    production.set({ release: next.setting });
    expect(await refused(production)).toMatch(/\[promoted_in_part\] .*staging gives it 10 % of its traffic/);
    staging.set({ rollout: 100 });
    await staging.stack.up();
    expect(staging.stack.outputs).toMatchObject({ digest: next.digest, share: 100 });
    expect(await refused(production)).toMatch(/\[soak_not_over\].*staging has served it since .*soakMinutes is 30/);
    production.set({ soakMinutes: 0 });
    const up = await production.stack.up();
    expect(up.ok, up.text).toBe(true);
    expect(up.text).not.toContain("promotion_");
  });

  it("asks the other stack's account, whatever its outputs still say", async () => {
    const after = releases.variant("after");
    staging.set({ release: after.setting });
    const up = await staging.stack.up();
    expect(up.ok, up.text).toBe(true);
    // As a rollback does that was killed after it has moved the traffic.
    await staging.moveTo(1);
    expect(staging.stack.outputs).toMatchObject({ digest: after.digest, share: 100 });
    production.set({ release: after.setting });
    const serves = `staging serves ${releases.built.digest.slice(0, 12)}`;
    expect(await refused(production)).toMatch(new RegExp(`\\[not_promoted\\].*${serves}`));
  });

  it("says that it has relied on the outputs where the account does not answer it", async () => {
    production.proxy.intervene = ({ path }) =>
      path.includes(`/scripts/${staging.workerName}/deployments`) ? "refuse" : undefined;
    const preview = await production.stack.preview();
    production.proxy.intervene = undefined;
    expect(preview.ok, preview.text).toBe(true);
    expect(preview.text).toMatch(/\[promotion_unchecked\] staging: what it serves is taken from its last update/);
  });
});

describe("a slower job on the real engine", () => {
  let site: Site;
  beforeAll(async () => {
    const newer = releases.variant("newer", "2026-11-24T09:00:00.000Z");
    // Only the local stack allows older releases by default.
    site = await Site.open({ config: { release: newer.setting, allowOlderRelease: "" } });
    const up = await site.stack.up();
    expect(up.ok, up.text).toBe(true);
  });
  afterAll(() => site?.close());

  it("does not put an older release over a newer one, unless it is named", async () => {
    const older = releases.variant("older", "2026-11-23T09:00:00.000Z");
    site.set({ release: older.setting });
    expect(await refused(site)).toMatch(/\[older_release\] release .*2026-11-23T09:00:00Z.*2026-11-24T09:00:00Z/);
    site.set({ allowOlderRelease: older.digest.slice(0, 12) });
    const up = await site.stack.up();
    expect(up.ok, up.text).toBe(true);
    expect(site.stack.outputs).toMatchObject({ digest: older.digest });
    site.set({ allowOlderRelease: "" });
  });

  it("with the same bytes of another commit makes no version, and deploys nothing", async () => {
    const again = releases.variant("older", "2026-11-25T09:00:00.000Z");
    site.set({ release: again.setting });
    site.proxy.takeWrites();
    const up = await site.stack.up();
    expect(up.ok, up.text).toBe(true);
    expect(up.steps.filter((step) => !step.startsWith("same"))).toEqual([]);
    expect(site.proxy.takeWrites()).toEqual([]);
  });
});
