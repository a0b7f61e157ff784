/** Whether a release may be promoted: every reason at once, and only the rules that a person named are overridden. */
import { describe, expect, it } from "vitest";
import type { Schemas } from "../../contract/release.ts";
import { UserError } from "../../infra/common/user-error.ts";
import { Reads } from "../../infra/plan/account/reads.ts";
import { servedSince } from "../../infra/plan/live/ours.ts";
import { readWorker } from "../../infra/plan/live/worker.ts";
import { decide, type Source } from "../../infra/promote/decide.ts";
import { gather } from "../../infra/promote/gather.ts";
import { isOverridden, type Overrides, overrideNote, overrideRecord, type Rule } from "../../infra/promote/override.ts";
import { ofSource } from "../../infra/promote/source.ts";
import { changesData } from "../../infra/promote/to-rehearse.ts";
import { Api } from "../../infra/provider/api.ts";
import type { Blind } from "../../infra/smoke/reason.ts";
import { isTokenRefused } from "../../infra/smoke/verdict.ts";
import { openStack } from "../../infra/stack/open.ts";
import { preview } from "./preview.ts";

const release = { digest: "a".repeat(64), migration: { step: "0002-second", history: "h" } };
const other = "b".repeat(64);
const NOW = Date.parse("2026-11-27T12:00:00Z");
const ago = (minutes: number) => new Date(NOW - minutes * 60_000).toISOString();
/** A version of ours that serves this release, for so much of the traffic. */
const serves = (digest: string, percentage: number, number = 1) => ({
  number,
  tag: `${digest.slice(0, 12)}-x`,
  digest,
  percentage,
});
const staging = (more: Partial<Source> = {}): Source => ({
  stack: "staging",
  serving: [serves(release.digest, 100)],
  since: ago(31),
  smoked: { failed: [] },
  ...more,
});
const asked = (source: Source, overrides: Readonly<Partial<Record<Rule, string>>> = {}, soakMinutes = 30) => {
  const map: Overrides = new Map(
    (["smoke", "soak"] as const).flatMap((rule) => {
      const why = overrides[rule];
      return why === undefined ? [] : [[rule, why] as const];
    }),
  );
  return decide(release, source, map, { soakMinutes, now: NOW });
};

describe("a release goes on", () => {
  it("once it was served long enough and the smoke test passed", () => {
    expect(asked(staging())).toEqual({ reasons: [], overridden: [] });
  });
  it("where two versions of it share the traffic", () => {
    const half = serves(release.digest, 50);
    expect(asked(staging({ serving: [half, half] })).reasons).toEqual([]);
  });
  it("over a broken rule that is named, and says why", () => {
    expect(asked(staging({ since: ago(5) }), { soak: "hotfix 123" })).toEqual({
      reasons: [],
      overridden: ["soak: hotfix 123"],
    });
  });
  it("with nothing to record where the rule that is named was not broken", () => {
    expect(asked(staging(), { soak: "hotfix 123" })).toEqual({ reasons: [], overridden: [] });
  });
});

describe("a release stays", () => {
  it("for every reason at once", () => {
    const { reasons } = asked(staging({ since: ago(10), smoked: { failed: ["counter", "chat"] } }));
    expect(reasons).toEqual([
      expect.stringContaining("the smoke test of staging failed: counter, chat."),
      expect.stringContaining("it may go in 20 min, at 2026-11-27T12:20:00.000Z"),
    ]);
  });
  it("though another rule is overridden", () => {
    const { reasons } = asked(staging({ since: ago(10), smoked: { failed: ["counter"] } }), { soak: "hotfix 123" });
    expect(reasons).toEqual([expect.stringMatching(/^smoke: /)]);
  });
  it("where there was no smoke test", () => {
    expect(asked(staging({ smoked: undefined })).reasons).toEqual([expect.stringContaining("Say it with --url")]);
  });
  it("where the smoke test was not answered, and no release is blamed for that", () => {
    const [reason] = asked(
      staging({ smoked: { failed: ["counter"], lostBecause: "The connection was cut." } }),
    ).reasons;
    expect(reason).toMatch(
      /^smoke: staging did not answer .* says nothing of the release: counter\. The connection was/,
    );
    expect(reason).not.toContain("failed");
  });
  it("where the smoke test's admin token was refused, and the token is named and not the release", () => {
    const smoked = { failed: ["counter", "chat"], isTokenRefused: true };
    const [reason] = asked(staging({ smoked })).reasons;
    expect(reason).toMatch(/^smoke: staging refused the admin token .*: counter, chat\. .* FROM_ADMIN_TOKEN/);
    // The usual cause on a new stack: an update takes the file's token, and CI tests with its own.
    expect(reason).toContain("An adminToken in the stack's file goes before CI's ADMIN_TOKEN");
    expect(reason).not.toContain("failed");
  });
  it("where the smoke test had no token and tried next to nothing, unless that is overridden or done later", () => {
    const untried = staging({ smoked: { failed: [], untried: ["counter", "chat"] } });
    expect(asked(untried).reasons).toEqual([
      expect.stringMatching(/^smoke: .* staging had no admin token.*: counter, chat\. .* FROM_ADMIN_TOKEN/),
    ]);
    expect(asked(untried, { smoke: "tried by hand" })).toEqual({
      reasons: [],
      overridden: ["smoke: tried by hand"],
    });
    const terms = { soakMinutes: 30, now: NOW, isTokenLater: true };
    expect(decide(release, untried, new Map(), terms).reasons).toEqual([]);
    const failed = staging({ smoked: { failed: ["page"], untried: ["counter"] } });
    expect(decide(release, failed, new Map(), terms).reasons).toEqual([expect.stringContaining("failed: page.")]);
  });
  it("where it is not served, whatever is overridden", () => {
    const elsewhere = staging({ serving: [serves(other, 100)] });
    const all = { soak: "hotfix 123", smoke: "hotfix 123" };
    expect(asked(elsewhere, all).reasons).toEqual([expect.stringMatching(/not_promoted.*rollout -- abandon/)]);
    expect(asked(staging({ serving: [] }), all).reasons).toEqual([expect.stringContaining("not_promoted")]);
  });
  it("where it is past the release, and says how a stack takes that one which cannot catch up without it", () => {
    const at = (name: string) => asked(staging({ serving: [serves(other, 100)], step: { name } })).reasons;
    expect(at("0003-third")).toEqual([
      expect.stringMatching(
        /promotion_missed\] release a{12}: staging is at step 0003-third, .*ends at 0002-second.*rollout -- abandon.*set allowMissedRelease: "a{12}" and `up`.*#a-fix-that-cannot-wait\.$/,
      ),
    ]);
    expect(at("0002-second")).toEqual([expect.stringContaining("not_promoted")]);
  });
  it.each([
    ["all of it", [{ ...serves(release.digest, 100, 8), tag: undefined }]],
    ["a part of it", [serves(release.digest, 90, 7), { ...serves(release.digest, 10, 8), tag: undefined }]],
    [
      "all of it, without the release's bindings",
      [{ ...serves(release.digest, 100, 8), tag: undefined, digest: undefined }],
    ],
  ])("where the dashboard has made a version of it that gets %s, and says what puts the release back", (_, serving) => {
    expect(asked(staging({ serving }), { soak: "hotfix 123", smoke: "hotfix 123" }).reasons).toEqual([
      expect.stringMatching(
        /not_promoted.*staging serves version 8, which something else.*npm run up -- --stack staging/,
      ),
    ]);
  });
  it("where only some callers get it", () => {
    const shared = staging({
      serving: [serves(other, 90), serves(release.digest, 10)],
    });
    expect(asked(shared).reasons).toEqual([expect.stringContaining("10 % of its traffic")]);
  });
  it("where nobody knows since when it is served", () => {
    expect(asked(staging({ since: undefined })).reasons).toEqual([expect.stringContaining("is not known")]);
  });
});

describe("the soak", () => {
  const digests = new Map([
    ["a1", release.digest],
    ["a2", release.digest],
    ["b1", other],
  ]);
  const deployed = (minutes: number, ...ids: string[]) => ({
    createdOn: ago(minutes),
    versions: ids.map((versionId) => ({ versionId, percentage: 100 / ids.length })),
  });
  it("goes on through a deployment that changes only settings", () => {
    const deployments = [deployed(1, "a2"), deployed(40, "a1"), deployed(90, "b1")];
    expect(servedSince(deployments, digests, release.digest)).toBe(ago(40));
  });
  it("begins when the last caller of another release is over", () => {
    const deployments = [deployed(5, "a1"), deployed(40, "a1", "b1"), deployed(90, "a1")];
    expect(servedSince(deployments, digests, release.digest)).toBe(ago(5));
  });
  it("does not begin while another version serves too, or one that nobody knows", () => {
    expect(servedSince([deployed(5, "a1", "b1")], digests, release.digest)).toBeUndefined();
    expect(servedSince([deployed(5, "x")], digests, release.digest)).toBeUndefined();
    expect(servedSince([], digests, release.digest)).toBeUndefined();
  });
});

it("the soak ends with a version that the dashboard has made, and begins anew with the next one of ours", async () => {
  const record = JSON.stringify({ digest: release.digest, migration: "0001-create", history: "h" });
  // A secret that is changed there keeps the bindings, and loses the tag.
  const version = (number: number, annotations: object) => ({
    id: `v${number}`,
    number,
    annotations,
    bindings: [{ name: "RELEASE", json: record }],
  });
  const versions = [version(2, {}), version(1, { workersTag: `${"a".repeat(12)}-x` })];
  const since = async (...numbers: readonly number[]) => {
    const deployments = numbers.map((number, i) => ({
      id: `d${i}`,
      createdOn: ago(i),
      versions: [{ versionId: `v${number}`, percentage: 100 }],
    }));
    const ask = {
      getWorkers: async () => ({
        results: [{ id: "w", name: "w", deployedOn: ago(9), references: { durableObjects: [] } }],
      }),
      getWorkersDeployments: async () => ({ results: [{ deployments }] }),
      getWorkerVersion: async ({ versionId }: { versionId: string }) => versions.find(({ id }) => id === versionId),
      getWorkerVersions: async () => ({ results: versions }),
    };
    return (await readWorker(new Reads("a", ask, undefined), "w")).servedSince;
  };
  expect(await since(1, 1)).toBe(ago(1));
  expect(await since(2, 1)).toBeUndefined();
  expect(await since(1, 2, 1)).toBe(ago(0));
});

describe("the record of an override", () => {
  it("is in the message of the version of that release, and of no other", () => {
    const record = overrideRecord(release, ["soak: hotfix 123"]);
    expect(overrideNote(record, release.digest)).toBe("; promoted over soak: hotfix 123");
    expect(overrideNote(record, other)).toBe("");
    expect(overrideNote(undefined, release.digest)).toBe("");
  });
  it("overrides for one release the rules that it names", () => {
    const record = overrideRecord(release, ["soak: hotfix 123"]);
    expect(isOverridden(record, release.digest, "soak")).toBe(true);
    expect(isOverridden(record, release.digest, "smoke")).toBe(false);
    expect(isOverridden(record, other, "soak")).toBe(false);
    expect(isOverridden(undefined, release.digest, "soak")).toBe(false);
    expect(isOverridden(overrideRecord(release, ["smoke: a soak: b", "soak: c"]), release.digest, "soak")).toBe(true);
  });
});

it("an account of the source that does not answer is told as the source's", async () => {
  const reads = Reads.through(new Api({ baseUrl: "http://127.0.0.1:1/client/v4", token: "token" }), "0".repeat(32));
  const open = {
    ...openStack("staging", {
      dir: ".local",
      env: { CLOUDFLARE_API_TOKEN: "token", CLOUDFLARE_ACCOUNT_ID: "0".repeat(32) },
    }),
    reads,
  };
  const ways = { url: undefined, adminToken: undefined, say: () => {} };
  await expect(gather(open, { digest: "a".repeat(64) }, ways)).rejects.toThrow(
    /^staging, which the release comes from, cannot be read\. GET \/accounts\/[\s\S]*FROM_CLOUDFLARE_API_TOKEN/,
  );
});

it("a refused admin token is the token's where nothing else failed", () => {
  const check = (blind?: Blind) => ({ name: "counter", ok: false, detail: "401", ms: 1, ...(blind && { blind }) });
  const well = { name: "page", ok: true, detail: "", ms: 1 };
  expect(isTokenRefused([well, check("token refused"), check("token refused")])).toBe(true);
  expect(isTokenRefused([well])).toBe(false);
  expect(isTokenRefused([well, check("token refused"), check()])).toBe(false);
  expect(isTokenRefused([check("token refused"), check("not reached")])).toBe(false);
});

it("what is wrong with the local account as the source names no variables, which do not lead to it", () => {
  const told = ofSource("local", new UserError("No local account runs on .local. Start it: npm start"));
  expect(String(told)).toContain("local, which the release comes from, cannot be read. No local account runs");
  expect(String(told)).not.toContain("CLOUDFLARE");
});

describe("a rehearsal", () => {
  const { plan, release: own } = preview();
  const needed = (before: Schemas | undefined, now: Schemas, changesLifecycle = false) =>
    changesData({ plan: { ...plan, changesLifecycle }, release: { ...own, schemas: now } }, { schemas: before });
  const [one, two] = [
    { steps: ["a"], needs: 0 },
    { steps: ["a", "b"], needs: 1 },
  ];

  it("is needed where classes or tables change", () => {
    expect(needed({ A: one }, { A: two })).toBe(true);
    expect(needed({ A: one }, { A: one, B: two })).toBe(true);
    expect(needed(undefined, { A: one })).toBe(true);
    expect(needed({ A: one }, { A: one }, true)).toBe(true);
  });

  it("is not needed where the same tables stand in another order", () => {
    expect(needed({ A: one, B: two }, { B: { needs: 1, steps: ["a", "b"] }, A: one })).toBe(false);
  });
});
