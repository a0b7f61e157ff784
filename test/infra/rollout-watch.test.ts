/** When a step of a rollout is judged, and when its watching ends. The clock is played: every pause passes at once. */
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Numbers } from "../../infra/rollout/compare/analysis.ts";
import { NEW, preview } from "./preview.ts";

/** Now, in minutes since the step's deployment was made. */
const now = () => (Date.now() - DEPLOYED) / MINUTE;
const DEPLOYED = Date.parse("2026-11-30T12:00:00Z");
const MINUTE = 60_000;

const calm: Numbers = { requests: 10_000, errors: 0, wall: [] };
const failing: Numbers = { ...calm, errors: 5_000 };
const few: Numbers = { ...calm, requests: 3 };
const unread = (isPassing: boolean) => new MetricsUnread("app", "503", { isPassing });

let deployment = "d-1";
/** What is counted of the new version now, or why nothing is. */
let counted: () => Numbers | Error = () => calm;
/** The minutes at which it was asked for, and from which on. */
let looks: number[] = [];
let froms: number[] = [];

vi.mock("node:timers/promises", () => ({
  setTimeout: async (ms: number) => void vi.advanceTimersByTime(ms),
}));
vi.mock("../../infra/plan/live/worker.ts", () => ({ readWorker: async () => live() }));
vi.mock("../../infra/rollout/compare/numbers.ts", async (original) => ({
  ...(await original<typeof import("../../infra/rollout/compare/numbers.ts")>()),
  loggedNow: async () => ({ share: 1, because: "" }),
  numbersOf: async (_api: unknown, { from }: { readonly from: number }, versionId: string) => {
    if (versionId === "v-4") return calm;
    looks.push(now());
    froms.push((from - DEPLOYED) / MINUTE);
    const numbers = counted();
    if (numbers instanceof Error) throw numbers;
    return numbers;
  },
}));

const { Reads } = await import("../../infra/plan/account/reads.ts");
const { Api } = await import("../../infra/provider/api.ts");
const { LastTraffic } = await import("../../infra/rollout/last-traffic.ts");
const { MetricsUnread } = await import("../../infra/rollout/compare/numbers.ts");
const { TrafficTold } = await import("../../infra/rollout/traffic-told.ts");
const { watch } = await import("../../infra/rollout/watch.ts");

const live = () => ({
  ...preview().live,
  servedLast: preview().live.serving,
  deployment: { id: deployment, message: "durable-stack", source: "api", createdOn: new Date(DEPLOYED).toISOString() },
});

vi.useFakeTimers({ toFake: ["Date", "performance"] });
afterAll(() => void vi.useRealTimers());
beforeEach(() => {
  vi.setSystemTime(DEPLOYED);
  deployment = "d-1";
  counted = () => calm;
  looks = [];
  froms = [];
});

/** Watches a step of ten minutes from now on: the verdict, and what it says. `isSet`: whether this run has just set its share. */
async function watched({ patienceMinutes = 5, isSet = false } = {}) {
  const step = { percent: 10, minutes: 10, smoke: false };
  const { settings: given } = preview();
  const settings = {
    ...given,
    rolloutSteps: [step],
    rolloutAnalysis: { minRequests: 500, risk: 0.01, slower: 1.5, patienceMinutes },
  };
  const api = new Api({ baseUrl: "http://127.0.0.1:9/client/v4", token: "token" });
  const reads = Reads.through(api, settings.accountId);
  const standing = { live: live(), tag: NEW };
  const last = new LastTraffic("test", ".local");
  last.found(standing);
  const said: string[] = [];
  const open = { name: "test", settings, api, reads, known: undefined };
  const { kind, ...verdict } = await watch(step, {
    open,
    standing,
    setAt: isSet ? performance.now() : undefined,
    last,
    say: (line) => void said.push(line),
  });
  return { kind, text: said.join("\n"), ...verdict };
}

describe("a step that is watched for ten minutes", () => {
  it("has four looks in that time, however good the first one is", async () => {
    expect(await watched()).toMatchObject({ kind: "no worse" });
    expect(looks).toEqual([2.5, 5, 7.5, 10]);
    expect(froms).toEqual([0, 0, 0, 0]);
  });

  it("ends early where the new version is worse", async () => {
    counted = () => (now() < 5 ? calm : failing);
    expect(await watched()).toMatchObject({ kind: "worse", because: [expect.stringContaining("errors: 50 %")] });
    expect(looks).toEqual([2.5, 5]);
  });

  it("ends where something else changes the traffic", async () => {
    counted = () => {
      deployment = "d-2";
      return calm;
    };
    await expect(watched()).rejects.toThrow(TrafficTold);
    expect(looks).toEqual([2.5]);
  });

  it("goes on after an interruption with the look that is next, over all the time since its deployment", async () => {
    vi.setSystemTime(DEPLOYED + 6 * MINUTE);
    expect(await watched()).toMatchObject({ kind: "no worse" });
    expect(looks).toEqual([7.5, 10]);
    expect(froms).toEqual([0, 0]);
  });

  it.each([
    ["ahead of", 30],
    ["behind", -30],
  ])("lasts as long where this machine's clock is %s Cloudflare's", async (_, minutes) => {
    vi.setSystemTime(DEPLOYED + minutes * MINUTE);
    expect(await watched({ isSet: true })).toMatchObject({ kind: "no worse" });
    expect(looks).toEqual([2.5, 5, 7.5, 10].map((look) => look + minutes));
  });

  it("is judged at once after an interruption that outlasted it", async () => {
    vi.setSystemTime(DEPLOYED + 60 * MINUTE);
    expect(await watched()).toMatchObject({ kind: "no worse" });
    expect(looks).toEqual([60]);
  });
});

describe("a step of which too little is known", () => {
  it("waits on within its patience, a look every 15 seconds", async () => {
    counted = () => (now() < 11 ? few : calm);
    expect(await watched()).toMatchObject({ kind: "no worse" });
    expect(looks).toEqual([2.5, 5, 7.5, 10, 10.25, 10.5, 10.75, 11]);
  });

  it("ends there, too, where the new version turns out worse", async () => {
    counted = () => (now() < 11 ? few : failing);
    expect(await watched()).toMatchObject({ kind: "worse" });
    expect(looks.at(-1)).toBe(11);
  });

  it("is given up once its patience is over", async () => {
    counted = () => few;
    expect(await watched()).toMatchObject({
      kind: "unknown",
      because: expect.stringContaining("3 requests of the new"),
    });
    expect(looks.at(-1)).toBe(15.25);
  });
});

describe("metrics that cannot be read", () => {
  it("are asked for again until they can, within one look", async () => {
    counted = () => (now() < 3 ? unread(true) : calm);
    const { kind, text } = await watched();
    expect([kind, text]).toEqual(["no worse", expect.stringContaining("503. Asked again.")]);
    expect(looks).toEqual([2.5, 2.75, 3, 5, 7.5, 10]);
  });

  it("miss a look, and not the verdict", async () => {
    counted = () => (now() < 6 ? unread(true) : calm);
    expect(await watched()).toMatchObject({ kind: "no worse" });
    expect(looks.slice(-2)).toEqual([7.5, 10]);
  });

  it("leave the step unknown once its patience is over", async () => {
    counted = () => unread(true);
    expect(await watched()).toMatchObject({ kind: "unknown", because: "The requests of app cannot be counted: 503" });
    expect(now()).toBe(15);
  });

  it("end it where asking again is of no use", async () => {
    counted = () => unread(false);
    await expect(watched()).rejects.toThrow("The requests of app cannot be counted: 503.");
    expect(looks).toEqual([2.5]);
  });
});
