/** An `up` by hand in the middle of a rollout: which releases and settings it takes. */
import { describe, expect, it } from "vitest";
import { type AtHand, underWayText } from "../../infra/rollout/under-way.ts";

const [TRIED, STABLE, THIRD] = ["b", "a", "c"].map((letter) => letter.repeat(64));

const one = (number: number, digest: string | undefined, percentage: number) => ({
  versionId: `v-${number}`,
  number,
  percentage,
  digest,
  tag: "t",
});
const SHARED = [one(5, TRIED, 10), one(4, STABLE, 90)];
const at: AtHand = { stack: "staging", dir: ".local", digest: () => TRIED, isDecided: false };

const told = (atHand: Partial<AtHand> = {}, serving = SHARED, message = "durable-stack: 5") =>
  underWayText(
    { ...at, ...atHand },
    { serving, deployment: { id: "d", message, source: "api", createdOn: undefined } },
  );

describe("an update while two versions share the traffic", () => {
  it("is refused with the release that is tried, where the settings say nothing of a rollout", () => {
    expect(told()).toMatch(
      /^In staging a rollout is under way, or was left: version 5 10 %, version 4 90 %\.[\s\S]*rollout -- run --stack staging\n[\s\S]*abandon --stack staging\n[\s\S]*set 100 --stack staging; or write rollout: 100/,
    );
  });

  it("names the local account's folder in each line", () => {
    expect(told({ stack: "local", dir: "other" })?.match(/--stack local --dir other/g)).toHaveLength(3);
  });

  it.each([
    ["the settings have decided the share", { isDecided: true }],
    ["the release at hand is the stable one, which takes all traffic back", { digest: () => STABLE }],
    ["the release at hand is a third one, which the plan refuses", { digest: () => THIRD }],
    ["there is no release at hand, which the program says", { digest: () => undefined }],
  ])("is left to the plan where %s", (_, atHand) => {
    expect(told(atHand)).toBeUndefined();
  });

  it("is left to the plan where one version serves, or something else has shared the traffic", () => {
    expect(told({}, [one(5, TRIED, 100)])).toBeUndefined();
    expect(told({}, SHARED, "by hand")).toBeUndefined();
  });
});
