/** What `npm run rollout -- status` prints, a line each. */
import { describe, expect, it } from "vitest";
import { refusedLine, statusLine, stepLine } from "../../infra/rollout/status-lines.ts";
import { LEAST_SHARE, type Step } from "../../infra/stack/rollout-steps.ts";
import { preview } from "./preview.ts";

const settings = { ...preview().settings, workerName: "my-worker", rollout: 10 };
const one = (number: number, percentage: number, letter: string) => ({
  versionId: `v-${number}`,
  number,
  percentage,
  tag: `${letter.repeat(12)}-x`,
  digest: letter.repeat(64),
});
const live = { serving: [one(2, 10, "b"), one(1, 90, "a")], pinned: undefined, refused: [] };

describe("what serves", () => {
  it("is told with what the settings say", () => {
    expect(statusLine(settings, live)).toBe(
      `my-worker: version 2 (${"b".repeat(12)}) 10 %, version 1 (${"a".repeat(12)}) 90 %; the settings say 10 % for the release`,
    );
    expect(statusLine(settings, { ...live, serving: [] })).toContain("my-worker: nothing is deployed; ");
  });

  it("of a trial without users is not told as an abandon is", () => {
    const said = (rolloutTrial: boolean) => statusLine({ ...settings, rollout: 0, rolloutTrial }, live);
    expect(said(true)).toMatch(/; the settings say 0\.01 % for the release$/);
    expect(said(false)).toMatch(/; the settings say 0 % for the release$/);
  });

  it("is told with the pin, also where only the account has it", () => {
    expect(statusLine({ ...settings, pin: 1 }, live)).toMatch(/; pinned to version 1$/);
    expect(statusLine(settings, { ...live, pinned: 1 })).toMatch(
      /; pinned to version 1, as the account says; these settings have no pin$/,
    );
  });
});

describe("where a rollout stands", () => {
  const steps: readonly Step[] = [
    { percent: 0, minutes: 0, smoke: true },
    { percent: 50, minutes: 10, smoke: false },
    { percent: 100, minutes: 0, smoke: true },
  ];

  it.each([
    ["in a step that is watched", 50, "4 min", "step 2 of 3, for 4 min of 10 min; next: 100 %"],
    ["in one without minutes", LEAST_SHARE, "4 min", "step 1 of 3, for 4 min; next: 50 %"],
    ["between two steps", 20, "4 min", "in none of 3 steps, for 4 min; next: 50 %"],
    ["where nobody knows since when", 50, "", "step 2 of 3; next: 100 %"],
  ])("is told %s", (_, share, since, line) => {
    expect(stepLine(steps, share, since)).toBe(line);
  });
});

describe("refused releases", () => {
  const refusing = { ...settings, refusedReleases: "c".repeat(12) };

  it("are those of the settings and of the account", () => {
    expect(refusedLine(refusing, { ...live, refused: ["d".repeat(12)] })).toBe(
      `refused: ${"c".repeat(12)} ${"d".repeat(12)}`,
    );
    expect(refusedLine(settings, live)).toBeUndefined();
  });

  it("are not told of the one that serves everybody", () => {
    expect(refusedLine(refusing, { ...live, serving: [one(3, 100, "c")] })).toBeUndefined();
    expect(refusedLine(refusing, { ...live, serving: [one(3, 10, "c"), one(1, 90, "a")] })).toContain("c".repeat(12));
  });
});
