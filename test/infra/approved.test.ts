/** The plan that a reviewer approved: what would be done now is the same, or every difference is named. */
import { describe, expect, it } from "vitest";
import type { Preview } from "../../infra/plan/preview/preview.ts";
import { differences, hashOf, planFile, planToApprove, readPlan } from "../../infra/promote/approved.ts";
import { preview } from "./preview.ts";

const version = (number: number, tag: string, percentage: number) => ({
  versionId: `v-${number}`,
  number,
  tag,
  percentage,
  digest: tag.repeat(64),
});
const serving = (...versions: ReturnType<typeof version>[]): Partial<Preview> => ({
  live: { ...preview().live, serving: versions, servedLast: versions },
});
/** Version 4 serves, and the release, whose version gets the tag `n`, comes. */
const now = (more: Partial<Preview> = {}) => preview({ tag: "n", ...serving(version(4, "o", 100)), ...more });
const plan = (of: Preview) => planToApprove("staging", of);
const approved = plan(now());
const against = (of: Preview) => differences(approved, plan(of));
const { settings } = preview();

describe("nothing stands against", () => {
  it("the plan that was approved", () => {
    expect(against(now())).toEqual([]);
  });
  it("more objects in a class that changes", () => {
    expect(against(now({ objects: new Map([["Room", { count: 7, more: false }]]) }))).toEqual([]);
  });
  it("a promotion that was interrupted, with what it has done already", () => {
    const halfway = serving(version(4, "o", 90), version(5, "n", 10));
    const rest = { ...preview().plan, from: "0003-change", moves: [], changesLifecycle: false };
    expect(against(now({ ...halfway, plan: rest }))).toEqual([]);
    expect(against(now({ ...serving(version(5, "n", 100)), plan: rest }))).toEqual([]);
  });
  it("what such a promotion has done over a version of something else", () => {
    const { live = preview().live } = serving(version(4, "o", 100));
    const foreign = { versionId: "v-6", number: 6, tag: undefined, digest: undefined, percentage: 100 };
    const before = plan(now({ live: { ...live, serving: [foreign] } }));
    expect(differences(before, before)).toEqual([]);
    expect(differences(before, plan(now(serving(version(7, "n", 0.01), version(4, "o", 99.99)))))).toEqual([]);
  });
  it("a look at the source that failed, which says nothing of the target", () => {
    const warnings = [{ code: "promotion_unchecked", subject: "staging", message: "", fix: "" }] as const;
    expect(against(now({ warnings }))).toEqual([]);
    // As versions from before saved it.
    expect(differences({ ...approved, warnings: ["promotion_unchecked staging"] }, plan(now()))).toEqual([]);
  });
  it("the share that the promotion itself writes into the settings", () => {
    expect(against(now({ settings: { ...settings, rollout: 10 } }))).toEqual([]);
  });
});

describe("every difference is named", () => {
  it.each<[string, Partial<Preview>, RegExp]>([
    [
      "another release",
      { release: { ...preview().release, digest: "c".repeat(64) } },
      /^release: approved bbbbbbbbbbbb, now cccccccccccc/,
    ],
    ["a setting", { settings: { ...settings, soakMinutes: 5 } }, /^setting soakMinutes: approved 0, now 5/],
    ["other code that serves", serving(version(6, "x", 100)), /serves: approved version 4 100 %, now version 6 100 %/],
    [
      "another step of the history",
      { plan: { ...preview().plan, from: "0002-b" } },
      /^step of test: approved 0001-create, now 0002-b/,
    ],
    [
      "a class that is deleted",
      { plan: { ...preview().plan, moves: [...preview().plan.moves, { kind: "delete", className: "Kept" }] } },
      /^not approved: - Kept, with all its objects/,
    ],
    [
      "a change that is not needed any more",
      { plan: { ...preview().plan, moves: [] } },
      /would not happen: \+ New \(sqlite\)/,
    ],
    [
      "a binding that is lost",
      { bindings: [{ name: "CACHE", kind: "removed", what: "KV" }] },
      /^not approved: - CACHE/,
    ],
    [
      "a warning",
      { warnings: [{ code: "deployment_not_ours", subject: "deployment 7", message: "", fix: "" }] },
      /^a new warning: deployment_not_ours deployment 7/,
    ],
  ])("%s", (_, more, line) => {
    expect(against(now(more)).join("\n")).toMatch(new RegExp(line.source, "m"));
  });
  it("something else beside the release that was on its way", () => {
    const other = serving(version(6, "x", 90), version(5, "n", 10));
    expect(against(now(other)).join("\n")).toContain("serves: approved version 4 100 %");
  });
  it("what an interrupted promotion would do besides", () => {
    const halfway = serving(version(4, "o", 90), version(5, "n", 10));
    expect(against(now({ ...halfway, bindings: [{ name: "JOBS", kind: "added" }] }))).toEqual(["not approved: + JOBS"]);
  });
});

describe("a plan's file", () => {
  it("gives back the plan that was saved", () => {
    expect(readPlan("plan.json", planFile(approved))).toEqual(approved);
  });
  it("is refused where it was changed, or is none", () => {
    const text = planFile(approved).replace("0001-create", "0000-create");
    expect(() => readPlan("plan.json", text)).toThrow(/plan.json was changed after it was saved: its hash is/);
    expect(() => readPlan("plan.json", "{}")).toThrow(/is no plan that .*--save-plan/);
    expect(() =>
      readPlan("plan.json", planFile({ ...approved, format: 1 }).replace('"format": 1', '"format": 2')),
    ).toThrow(/is no plan/);
  });
  it("has another hash for another plan", () => {
    expect(hashOf(plan(now({ settings: { ...settings, soakMinutes: 5 } })))).not.toBe(hashOf(approved));
  });
});
