/** A rollout's judge: what is chance and what is worse, and the steps that it goes through. */
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { type AnalysisSettings, judge, type Numbers, numbersInWords } from "../../infra/rollout/compare/analysis.ts";
import { boundsOf, chanceOfMore, normalQuantile, type Quantiles } from "../../infra/rollout/compare/statistics.ts";
import { otherSecrets } from "../../infra/rollout/other-secrets.ts";
import {
  DEFAULT_STEPS,
  indexAt,
  LEAST_SHARE,
  looksIn,
  Steps,
  shareOf,
  standingAt,
} from "../../infra/stack/rollout-steps.ts";

const settings: AnalysisSettings = { minRequests: 100, risk: 0.01, slower: 1.5 };
const LOOKS = 8;

/** A generator of numbers from 0 to 1 that is the same in every run (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const SHARES = [0.25, 0.5, 0.75, 0.9, 0.99];

/** What is counted of `requests` requests, each of which fails with `errorRate` and takes `time()` milliseconds. */
function counted(requests: number, errorRate: number, time: () => number, random: () => number): Numbers {
  const times = Array.from({ length: requests }, time).sort((a, b) => a - b);
  const wall: Quantiles = SHARES.map((share) => [share, times[Math.ceil(share * requests) - 1] ?? 0]);
  return { requests, errors: Array.from({ length: requests }, random).filter((one) => one < errorRate).length, wall };
}

describe("Fisher's exact test", () => {
  // The values are those of R 4.4: fisher.test(matrix(c(a, b, c, d), 2), alternative = "greater").
  it.each([
    [{ errors: 3, total: 4 }, { errors: 1, total: 4 }, 0.242857],
    [{ errors: 8, total: 10 }, { errors: 1, total: 6 }, 0.024476],
    [{ errors: 0, total: 100 }, { errors: 0, total: 900 }, 1],
  ])("of %j beside %j is %d", (next, stable, chance) => {
    expect(chanceOfMore(next, stable)).toBeCloseTo(chance, 5);
  });

  it("does not tire of many requests", () => {
    expect(chanceOfMore({ errors: 3_000, total: 100_000 }, { errors: 9_000, total: 900_000 })).toBeLessThan(1e-100);
    expect(chanceOfMore({ errors: 1_000, total: 100_000 }, { errors: 9_000, total: 900_000 })).toBeGreaterThan(0.4);
  });
});

describe("bounds of a quantile", () => {
  it("are the values at the shares that the binomial distribution gives", () => {
    expect(normalQuantile(0.975)).toBeCloseTo(1.96, 2);
    const line: Quantiles = [0.1, 0.5, 0.9].map((share) => [share, share * 100]);
    const [least, most] = boundsOf(0.5, line, 100, 0.025);
    expect([least, most].map(Math.round)).toEqual([40, 60]);
    expect(boundsOf(0.5, line, 4, 0.001)).toEqual([10, 90]);
  });

  it("hold a quantile that was drawn at least as often as they promise", () => {
    const random = randomOf(7);
    let missed = 0;
    const [runs, risk] = [2_000, 0.05];
    for (let run = 0; run < runs; run++) {
      const { wall, requests } = counted(400, 0, () => -Math.log(1 - random()) * 100, random);
      const [least] = boundsOf(0.5, wall, requests, risk);
      if (least > Math.LN2 * 100) missed++;
    }
    expect(missed / runs).toBeLessThan(risk * 1.6);
  });
});

describe("a new version", () => {
  const random = randomOf(20261126);
  const usual = () => 5 + -Math.log(1 - random()) * 20;
  const stable = () => counted(2_000, 0.002, usual, random);

  it("with three errors in a hundred requests is worse", () => {
    const verdict = judge(counted(400, 0.03, usual, random), stable(), settings, LOOKS);
    expect(verdict).toMatchObject({
      kind: "worse",
      because: [expect.stringMatching(/^errors: [\d.]+ % of 400 requests/)],
    });
  });

  it("that takes three times as long is worse", () => {
    const verdict = judge(
      counted(400, 0.002, () => usual() * 3, random),
      stable(),
      settings,
      LOOKS,
    );
    expect(verdict.kind === "worse" && verdict.because.join()).toContain("50 % of its requests take up to");
  });

  it("that only breaks down is worse from a few requests on", () => {
    expect(judge(counted(6, 1, usual, random), stable(), settings, LOOKS).kind).toBe("worse");
  });

  it("of which too little is known is neither good nor bad", () => {
    expect(judge(counted(0, 0, usual, random), stable(), settings, LOOKS).kind).toBe("unknown");
    expect(judge(counted(99, 0, usual, random), stable(), settings, LOOKS).kind).toBe("unknown");
    expect(judge(stable(), counted(99, 0, usual, random), settings, LOOKS).kind).toBe("unknown");
  });

  it("with more errors than requests, on either side, is neither good nor bad: the requests are not all counted", () => {
    const late = { ...counted(5, 1, usual, random), errors: 9 };
    expect(judge(late, stable(), settings, LOOKS)).toEqual({
      kind: "unknown",
      because: "the new version has 9 errors and only 5 requests: not all requests are in the logs yet",
    });
    expect(judge({ ...late, requests: 0 }, stable(), { ...settings, minRequests: 0 }, LOOKS).kind).toBe("unknown");
    expect(judge(counted(400, 0.03, usual, random), { ...stable(), errors: 2_001 }, settings, LOOKS)).toMatchObject({
      kind: "unknown",
      because: expect.stringMatching(/^the stable one has 2001 errors and only 2000 requests/),
    });
    expect(numbersInWords(late)).toBe("5 requests, 9 errors");
  });

  it("with a difference that nobody feels is no worse, however sure it is", () => {
    const many = { requests: 1_000_000, wall: SHARES.map((share): [number, number] => [share, share]) };
    expect(judge({ ...many, errors: 900 }, { ...many, errors: 100 }, settings, LOOKS).kind).toBe("no worse");
    const fast = SHARES.map((share): [number, number] => [share, share / 10]);
    expect(judge({ ...many, errors: 0 }, { ...many, errors: 0, wall: fast }, settings, LOOKS).kind).toBe("no worse");
  });

  it("that is as good is stopped no more often than the risk that was set", () => {
    let stopped = 0;
    const rollouts = 500;
    for (let rollout = 0; rollout < rollouts; rollout++) {
      for (let look = 0; look < LOOKS; look++) {
        const verdict = judge(counted(300, 0.01, usual, random), counted(900, 0.01, usual, random), settings, LOOKS);
        if (verdict.kind === "worse") {
          stopped++;
          break;
        }
      }
    }
    expect(stopped / rollouts).toBeLessThanOrEqual(settings.risk);
  });
});

describe("steps", () => {
  it("begin where the release has its share already", () => {
    expect(DEFAULT_STEPS.map(shareOf)).toEqual([LEAST_SHARE, 10, 50, 100]);
    expect([0, LEAST_SHARE, 10, 30, 50, 100].map((share) => indexAt(DEFAULT_STEPS, share))).toEqual([0, 0, 1, 2, 2, 3]);
    expect(looksIn(DEFAULT_STEPS)).toBe(8);
  });

  it.each([
    [[{ percent: 10 }], "must end with percent: 100"],
    [[{ percent: 50 }, { percent: 10 }, { percent: 100 }], "must have a larger percent"],
    [[{ percent: 10 }, { percent: 100, minutes: 2 }], "must have no minutes in the last step"],
    [[{ percent: 10, minutes: -1 }, { percent: 100 }], "must be a number of minutes"],
    [[{ percent: 0.5 }, { percent: 100 }], "must be a whole number from 0 to 100"],
    [[{ percent: 100, pause: true }], "Invalid key"],
    [[], "must end with percent: 100"],
  ])("%j are refused: %s", (steps, why) => {
    const { issues } = v.safeParse(Steps, steps);
    expect(issues?.map(({ message }) => message).join()).toContain(why);
  });
});

describe("where a release stands", () => {
  const steps = [0, 10, 50, 100].map((percent) => ({ percent, minutes: 0, smoke: false }));

  it("is in a step, or between two: then it goes to the next one that it has not reached", () => {
    expect(standingAt(steps, 0.01)).toEqual({ index: 0, next: steps[1] });
    expect(standingAt(steps, 10)).toEqual({ index: 1, next: steps[2] });
    expect(standingAt(steps, 20)).toEqual({ index: undefined, next: steps[2] });
    expect(standingAt(steps, 60)).toEqual({ index: undefined, next: steps[3] });
  });
});

describe("a way back to other secrets", () => {
  const versions = [
    { number: 4, secrets: "beef" },
    { number: 3, secrets: "beef" },
    { number: 2, secrets: "cafe" },
    { number: 1, secrets: undefined },
  ];
  const back = (to: number, ...serving: readonly number[]) =>
    otherSecrets({ versions, serving: serving.map((number) => ({ number })) }, to);

  it("is named with the versions that have others", () => {
    expect(back(2, 4)).toMatch(/^Version 2 has other secrets than version 4: /);
    expect(back(2, 4, 2)).toMatch(/than version 4: /);
    expect(back(2, 4, 3)).toMatch(/than version 4 and version 3: /);
  });
  it("is not where they are the same, or nobody recorded them", () => {
    expect([back(3, 4), back(1, 4), back(2, 1), back(2), back(9, 4)]).toEqual(Array(5).fill(undefined));
  });
});
