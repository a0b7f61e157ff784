/** The version that a stack goes back to where nobody names one. */
import { expect, it } from "vitest";
import { lastToArriveFirst } from "../../infra/plan/live/arrival.ts";
import { previousVersion } from "../../infra/plan/traffic/previous.ts";
import { preview, version } from "./preview.ts";

const { live } = preview();
const versions = [..."edcba"].map((letter, i) => version(5 - i, `t-${5 - i}`, letter));
const serving = [{ versionId: "v-5", percentage: 100, number: 5, tag: "t-5", digest: "e".repeat(64) }];
const deployments = [[5], [5, 4], [4, 3], [3], [2], [1]].map((numbers) => ({
  versions: numbers.map((number) => ({ versionId: `v-${number}`, percentage: 100 / numbers.length })),
}));
const before = (rollbackFloor: number | undefined, refused: readonly string[] = []) =>
  previousVersion({ ...live, serving, versions, rollbackFloor }, deployments, refused)?.number;

it("is the last one that had all traffic, and not one that only shared it", () => {
  expect(before(1)).toBe(3);
});

it("is none that cannot serve, and none of a release that the stack refuses", () => {
  expect(before(4)).toBeUndefined();
  expect(before(undefined)).toBeUndefined();
  expect(before(1, ["c".repeat(12)])).toBe(2);
});

it("is none that something else has made from one of ours", () => {
  const derived = versions.map((one) => (one.number === 3 ? { ...one, tag: undefined } : one));
  expect(previousVersion({ ...live, serving, versions: derived, rollbackFloor: 1 }, deployments, [])?.number).toBe(2);
});

it("is the stable version while another one is rolled out beside it, also in a stack's first rollout", () => {
  /** Of the deployments, the newest first: each by the numbers of its versions. */
  const during = (...made: readonly (readonly number[])[]) => {
    const all = made.map((numbers) => ({
      versions: numbers.map((number) => ({ versionId: `v-${number}`, percentage: 100 / numbers.length })),
    }));
    const now = (made[0] ?? []).map((number) => ({ ...version(number, `t-${number}`, "a"), percentage: 50 }));
    const sharing = lastToArriveFirst(now, all);
    return previousVersion({ ...live, serving: sharing, versions, rollbackFloor: 1 }, all, [])?.number;
  };
  expect(during([4, 3], [3], [2], [1])).toBe(3);
  expect(during([3, 4], [3, 4], [3], [1])).toBe(3);
  expect(during([2, 1], [1])).toBe(1);
  // The stable version had all traffic so long ago that no deployment says so, or never.
  expect(during([5, 4])).toBe(4);
  expect(during([5, 4], [4, 3], [3])).toBe(4);
  // Somebody rolls an older version out over a newer one; something else has served in between.
  expect(during([4, 3], [4])).toBe(4);
  expect(during([3, 4], [4, 3], [2], [4, 3], [4], [3])).toBe(4);
});

it("is an earlier one where the stable version cannot serve, or is of a release that the stack refuses", () => {
  const sharing = [5, 4].map((number) => ({
    ...version(number, `t-${number}`, "edcba"[5 - number] ?? ""),
    percentage: 50,
  }));
  const beside = (rollbackFloor: number, refused: readonly string[]) =>
    previousVersion({ ...live, serving: sharing, versions, rollbackFloor }, deployments, refused)?.number;
  expect(beside(1, [])).toBe(4);
  expect(beside(1, ["d".repeat(12)])).toBe(3);
  expect(beside(5, [])).toBeUndefined();
});
