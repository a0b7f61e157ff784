/** Whether a release may go from one stack to another. */
import { describe, expect, it } from "vitest";
import { decide, type Facts } from "../../infra/promote/decide.ts";

const DIGEST = "a".repeat(64);
const NOW = Date.parse("2026-11-26T12:00:00Z");
const good: Facts = {
  from: "staging",
  release: { digest: DIGEST },
  served: { digest: DIGEST, share: 100 },
  servedSince: NOW - 90 * 60_000,
  soakMinutes: 60,
  now: NOW,
  smoke: [],
  plan: [],
  rehearsal: undefined,
  overrides: {},
};
const against = (facts: Partial<Facts>) => decide({ ...good, ...facts }).against.map(({ what }) => what);

describe("a promotion", () => {
  it("may go when the release serves all callers, is well, has soaked, and its plan passes", () => {
    expect(decide(good)).toEqual({ against: [], overridden: [] });
  });

  it.each([
    ["another release serves", { served: { digest: "b".repeat(64), share: 100 } }, /staging serves b{12}/],
    ["nothing serves", { served: undefined }, /staging serves no release/],
    ["only some callers get it", { served: { digest: DIGEST, share: 50 } }, /staging gives it 50 %/],
    ["the smoke test fails", { smoke: ["counter: expected 200, got 500"] }, /smoke test fails on staging: counter/],
    ["it has not soaked", { servedSince: NOW - 30 * 60_000 }, /30 of 60 minutes.*over at 2026-11-26T12:30Z/],
    ["nobody knows since when it serves", { servedSince: undefined }, /0 of 60 minutes/],
    [
      "the plan refuses it",
      { plan: [{ code: "destroy_not_allowed", subject: "OldDO", message: "it would be deleted.", fix: "allow it." }] },
      /OldDO: it would be deleted/,
    ],
    ["its rehearsal fails", { rehearsal: "failed" }, /rehearsal failed/],
  ] as const)("is refused where %s", (_, facts, why) => {
    const [reason, ...more] = against(facts);
    expect(reason).toMatch(why);
    expect(more).toEqual([]);
  });

  it("names every reason at once", () => {
    expect(against({ smoke: ["page: gone"], servedSince: NOW, rehearsal: "failed" })).toHaveLength(3);
  });

  it("does not say twice that the stack does not serve it, nor that what does not serve fails", () => {
    const plan = [{ code: "not_promoted", subject: "release", message: "staging serves another.", fix: "…" }] as const;
    expect(against({ served: undefined, plan, smoke: ["release: another digest"], servedSince: NOW })).toHaveLength(1);
  });

  it("goes on over an override, which it records with its reason", () => {
    const overrides = { soak: "hotfix 123", smoke: "known flake" };
    expect(decide({ ...good, servedSince: NOW, overrides })).toEqual({ against: [], overridden: ["soak: hotfix 123"] });
    expect(decide({ ...good, served: undefined, overrides }).against).toHaveLength(1);
  });

  it("warnings of the plan stop nothing", () => {
    const plan = [{ code: "schema_raises_floor", subject: "CounterDO", message: "no way back.", fix: "…" }] as const;
    expect(against({ plan })).toEqual([]);
  });
});
