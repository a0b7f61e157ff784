/** The bucket's object: exact under concurrency, evictions, crashes and alarms, and cheap. */

import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { seconds } from "../../../worker/rate-limit/headers.ts";
import { packed, unpacked } from "../../../worker/rate-limit/verdict.ts";
import { fc } from "../../properties.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { countRows } from "../../worker/rows.ts";
import { cost } from "../cost.ts";

const DEFAULT = { capacity: 100, periodSeconds: 60 };
const HOUR_MS = 3_600_000;
let count = 0;
const bucket = () => env.RATE_LIMITER.getByName(`test:limit:${count++}`);

beforeEach(() => {
  stopClock(1_800_000_000_000);
});
afterEach(() => {
  vi.useRealTimers();
});

/** Takes one token at a time until denied. Returns how many were allowed. */
async function drain(stub: ReturnType<typeof bucket>, policy = DEFAULT): Promise<number> {
  for (let allowed = 0; ; allowed++) if (!(await stub.take(policy, 1)).allowed) return allowed;
}

/** Takes what a bucket holds, without a denial. */
async function takeAll(stub: ReturnType<typeof bucket>, policy: typeof DEFAULT): Promise<void> {
  for (let taken = 0; taken < policy.capacity; taken++) await stub.take(policy, 1);
}

describe("a bucket", () => {
  it("admits its capacity, then denies and says when to come back", async () => {
    const stub = bucket();
    expect(await stub.take(DEFAULT, 1)).toEqual({ allowed: true, remaining: 99, waitMs: 600 });
    expect(await drain(stub)).toBe(99);
    expect(await stub.take(DEFAULT, 1)).toEqual({ allowed: false, remaining: 0, waitMs: 600 });
    pass(599);
    expect(await stub.take(DEFAULT, 1)).toMatchObject({ allowed: false, waitMs: 1 });
    pass(1);
    expect(await stub.take(DEFAULT, 1)).toMatchObject({ allowed: true, remaining: 0 });
  });

  it("answers a packed call as it answers any", async () => {
    const [plain, other] = [bucket(), bucket()];
    const policy = { capacity: 3, periodSeconds: 86_400 };
    for (let call = 0; call < 5; call++) {
      pass(1_000 * call);
      expect(unpacked(await other.takePacked(3, 86_400, 1))).toEqual(await plain.take(policy, 1));
    }
  });

  it("loses nothing of a verdict when it is packed", () => {
    const verdict = fc.record({
      allowed: fc.boolean(),
      remaining: fc.integer({ min: 0, max: 1_000_000 }),
      waitMs: fc.integer({ min: 0, max: 3 * 86_400_000 + 2_000 }),
    });
    fc.assert(
      fc.property(verdict, (one) => {
        expect(Number.isSafeInteger(packed(one))).toBe(true);
        expect(unpacked(packed(one))).toEqual(one);
      }),
    );
    const never = { allowed: false, remaining: 0, waitMs: Number.POSITIVE_INFINITY };
    expect(unpacked(packed(never))).toMatchObject({ allowed: false, remaining: 0 });
  });

  it("admits exactly 10 of 100 calls at once when it holds 10", async () => {
    const stub = bucket();
    const verdicts = await Promise.all(
      Array.from({ length: 100 }, () => stub.take({ capacity: 10, periodSeconds: 60 }, 1)),
    );
    expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(10);
  });

  it("takes a cost whole or not at all", async () => {
    const stub = bucket();
    expect(await stub.take(DEFAULT, 70)).toMatchObject({ allowed: true, remaining: 30 });
    expect(await stub.take(DEFAULT, 31)).toMatchObject({ allowed: false, remaining: 30, waitMs: 600 });
    expect(await stub.take(DEFAULT, 30)).toMatchObject({ allowed: true, remaining: 0 });
    expect(await stub.take(DEFAULT, 101)).toMatchObject({ allowed: false, waitMs: Number.POSITIVE_INFINITY });
  });

  it("can be read without a change", async () => {
    const stub = bucket();
    await stub.take(DEFAULT, 40);
    const rows = await countRows(stub);
    for (let i = 0; i < 3; i++)
      expect(await stub.peek(DEFAULT, 1)).toEqual({ allowed: true, remaining: 60, waitMs: 600 });
    expect(await stub.peek(DEFAULT, 61)).toMatchObject({ allowed: false, waitMs: 600 });
    expect(rows()).toBe(0);
  });

  it("clamps to a lowered limit, and a raised limit does not fill it", async () => {
    const stub = bucket();
    await stub.take(DEFAULT, 10);
    expect(await stub.peek({ capacity: 20, periodSeconds: 60 }, 1)).toMatchObject({ remaining: 20 });
    expect(await stub.peek({ capacity: 500, periodSeconds: 60 }, 1)).toMatchObject({ remaining: 20 });
    await evictDurableObject(stub);
    expect((await stub.peek({ capacity: 500, periodSeconds: 60 }, 1)).remaining).toBeLessThanOrEqual(20);
  });
});

describe("a bucket whose limit was lowered", () => {
  it("does not refill by the old limit because a lease of that comes back late", async () => {
    const old = { capacity: 500, periodSeconds: 1 };
    const lowered = { capacity: 100, periodSeconds: 1 };
    const stub = bucket();
    await stub.take(old, 1);
    expect(await stub.take(lowered, 100)).toMatchObject({ allowed: true, remaining: 0 });
    await stub.giveBack(old, { id: "over", unused: 5 });
    pass(200);
    expect(await stub.peek(lowered, 1)).toMatchObject({ remaining: 20 });
  });
});

describe("what a bucket writes", () => {
  it("is nothing for whoever only looks, also at costs that are far away", async () => {
    const policy = { capacity: 300, periodSeconds: 60 };
    const stub = bucket();
    for (let taken = 0; taken < 60; taken++) await stub.take(policy, 1);
    const rows = await countRows(stub);
    for (const cost of [1, 290, 300, 300]) await stub.peek(policy, cost);
    expect(rows()).toBe(0);
  });

  it("is no more while calls come with old and new limits, and nothing for a denied flood of both", async () => {
    const lowered = { capacity: 60, periodSeconds: 60 };
    const rowsOf = async (policies: readonly (typeof DEFAULT)[]) => {
      const stub = bucket();
      await stub.take(DEFAULT, 1);
      const rows = await countRows(stub);
      for (let i = 0; i < 50; i++) await stub.take(policies[i % policies.length] ?? DEFAULT, 1);
      return { stub, rows };
    };
    const one = (await rowsOf([lowered])).rows();
    const { stub, rows } = await rowsOf([DEFAULT, lowered]);
    expect(rows()).toBeLessThanOrEqual(one + 1);
    while ((await stub.take(lowered, 1)).allowed);
    const before = rows();
    for (const policy of [DEFAULT, lowered, DEFAULT, lowered]) {
      expect(await stub.take(policy, 1)).toMatchObject({ allowed: false });
    }
    expect(rows()).toBe(before);
  });

  it("is at most a row per ten allowed checks in a burst, including the alarm", async () => {
    const stub = bucket();
    await stub.peek(DEFAULT, 1);
    const rows = await countRows(stub);
    expect(await drain(stub)).toBe(100);
    expect(rows()).toBeGreaterThan(0);
    expect(rows() / 100).toBeLessThanOrEqual(cost.check.ours);
  });

  it("is at most a row per ten checks for a caller at the limit for ten minutes", async () => {
    const stub = bucket();
    await drain(stub);
    const rows = await countRows(stub);
    let allowed = 0;
    for (let second = 0; second < 600; second++) {
      pass(1_000);
      for (let i = 0; i < 2; i++) if ((await stub.take(DEFAULT, 1)).allowed) allowed++;
    }
    expect(allowed).toBe(1_000);
    expect(rows() / allowed).toBeLessThanOrEqual(cost.check.ours);
  });

  it("is nothing for a denial", async () => {
    const stub = bucket();
    await drain(stub);
    const rows = await countRows(stub);
    for (let i = 0; i < 50; i++) await stub.take(DEFAULT, 1);
    expect(rows()).toBe(0);
  });
});

describe("a bucket that loses its memory", () => {
  it("never admits one too many, and loses at most a fifth", async () => {
    for (const takenBefore of [1, 7, 20, 21, 22, 50, 99, 100]) {
      const stub = bucket();
      for (let i = 0; i < takenBefore; i++) await stub.take(DEFAULT, 1);
      await evictDurableObject(stub);
      const after = await drain(stub);
      expect(takenBefore + after).toBeLessThanOrEqual(100);
      expect(takenBefore + after).toBeGreaterThanOrEqual(takenBefore === 100 ? 100 : 79);
    }
  });

  it("costs nothing to a caller whose object is evicted between its calls", async () => {
    const stub = bucket();
    for (let i = 1; i <= 20; i++) {
      expect(await stub.take(DEFAULT, 9)).toMatchObject({ allowed: true, remaining: 91 });
      pass(15_000);
      await evictDurableObject(stub);
    }
  });

  it("never admits one too many after a crash between any two checks", async () => {
    let allowed = 0;
    for (let i = 0; i < 120; i++) {
      // A stub does not outlive the crash of its object.
      if ((await env.RATE_LIMITER.getByName("test:limit:crash").take(DEFAULT, 1)).allowed) allowed++;
      if (i % 7 === 0) await abortAllDurableObjects();
    }
    expect(allowed).toBeLessThanOrEqual(100);
    expect(allowed).toBeGreaterThan(0);
  });

  it("comes back to its full rate once the reserve has passed", async () => {
    const stub = bucket();
    await stub.take(DEFAULT, 1);
    await evictDurableObject(stub);
    pass(60_000);
    expect(await drain(stub)).toBe(100);
  });

  it("refills after the clock went back by more than a period, also if it is evicted between all calls", async () => {
    const stub = bucket();
    await drain(stub);
    pass(-24 * HOUR_MS);
    const waits: number[] = [];
    for (let call = 0; call < 2; call++) {
      const { allowed, waitMs } = await stub.take(DEFAULT, 100);
      if (allowed) break;
      waits.push(waitMs);
      pass(waitMs);
      await evictDurableObject(stub);
    }
    expect(waits).toHaveLength(1);
    expect(waits[0]).toBeLessThanOrEqual(60_000);
    await evictDurableObject(stub);
    // It is not asked for the time by which it was set before: that may never come.
    pass(HOUR_MS);
    await runDurableObjectAlarm(stub);
    expect(await runInDurableObject(stub, (_, { storage }) => [...storage.kv.list()].length)).toBe(0);
  });

  it.each([
    ["that refills slowly", { capacity: 200, periodSeconds: 3_600 }],
    ["that a deployment raised", { capacity: 20, periodSeconds: 3_600 }],
  ])("keeps what it told a denied caller, with a limit %s, for one row", async (_, before) => {
    const policy = { capacity: 200, periodSeconds: 3_600 };
    const stub = bucket();
    await drain(stub, before);
    if (before.capacity !== policy.capacity) await evictDurableObject(stub);
    const rows = await countRows(stub);
    const { allowed, waitMs } = await stub.take(policy, 150);
    expect(allowed).toBe(false);
    for (let i = 0; i < 10; i++) await stub.take(policy, 150);
    expect(rows()).toBeLessThanOrEqual(1);
    pass(waitMs);
    await evictDurableObject(stub);
    expect(await stub.take(policy, 150)).toMatchObject({ allowed: true });
  });

  it.each(["take", "peek"] as const)(
    "keeps what it told a caller of `%s` who comes in as many whole seconds as an idle object lives",
    async (method) => {
      const policy = { capacity: 5, periodSeconds: 50 };
      const stub = bucket();
      await takeAll(stub, policy);
      pass(method === "take" ? 1_500 : 0);
      const { allowed, waitMs } = await stub[method](policy, 1);
      expect(allowed).toBe(false);
      pass(seconds(waitMs) * 1_000);
      await evictDurableObject(stub);
      expect(await stub.take(policy, 1)).toMatchObject({ allowed: true });
    },
  );

  it("admits capacity and refill, and no more, under any sequence of calls, waits, clock steps and evictions", async () => {
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ kind: fc.constant("take" as const), amount: fc.integer({ min: 1, max: 12 }) }),
      },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant("pass" as const), amount: fc.integer({ min: -2_000, max: 9_000 }) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("evict" as const), amount: fc.constant(0) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("alarm" as const), amount: fc.constant(0) }) },
    );
    const policy = { capacity: 20, periodSeconds: 30 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
        const stub = bucket();
        let latest = Date.now();
        let allowance = policy.capacity;
        // What the bucket has for certain: as of the last call, and less what an eviction may have cost.
        let certain = policy.capacity;
        let asOf = Date.now();
        let evicted = false;
        const refill = (ms: number) => (Math.max(ms, 0) * policy.capacity) / 30_000;
        for (const { kind, amount } of steps) {
          if (kind === "pass") {
            pass(amount);
            allowance = Math.min(allowance + refill(Date.now() - latest), policy.capacity);
            latest = Math.max(latest, Date.now());
          } else if (kind === "evict") {
            await stub.peek(policy, 1);
            await evictDurableObject(stub);
            evicted = true;
          } else if (kind === "alarm") await runDurableObjectAlarm(stub);
          else {
            // A full bucket remembers nothing, so its time begins at the call that finds it full.
            if (allowance === policy.capacity) latest = Date.now();
            if (evicted) {
              // It forgot its reserve, a fifth of its capacity, and any time to which the clock has not come again.
              certain -= policy.capacity / 5 + refill(asOf - Date.now());
              asOf = Math.min(asOf, Date.now());
              evicted = false;
            }
            certain = Math.min(certain + refill(Date.now() - asOf), policy.capacity);
            asOf = Math.max(asOf, Date.now());
            const { allowed } = await stub.take(policy, amount);
            if (amount < certain - 1e-6) expect(allowed).toBe(true);
            if (!allowed) continue;
            allowance -= amount;
            certain -= amount;
            expect(allowance).toBeGreaterThan(-1e-6);
          }
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe("an idle bucket", () => {
  const stored = (stub: ReturnType<typeof bucket>) =>
    runInDurableObject(stub, async (_, { storage }) => ({
      entries: [...storage.kv.list()].length,
      alarm: await storage.getAlarm(),
    }));

  it("deletes itself, rows and alarm, when it is full again", async () => {
    const stub = bucket();
    await stub.take(DEFAULT, 5);
    expect(await stored(stub)).toEqual({ entries: 1, alarm: Date.now() + HOUR_MS });
    pass(HOUR_MS);
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await stored(stub)).toEqual({ entries: 0, alarm: null });
    expect(await stub.take(DEFAULT, 1)).toMatchObject({ allowed: true, remaining: 99 });
    expect(await stored(stub)).toMatchObject({ entries: 1 });
  });

  it("deletes itself also if storage fails for longer than the runtime tries an alarm again", async () => {
    const stub = bucket();
    await stub.take(DEFAULT, 5);
    pass(HOUR_MS);
    await runInDurableObject(stub, (_, { storage }) => {
      vi.spyOn(storage, "deleteAll").mockRejectedValueOnce(new Error("away"));
    });
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await stored(stub)).toEqual({ entries: 1, alarm: Date.now() + 60_000 });
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await stored(stub)).toEqual({ entries: 0, alarm: null });
  });

  it("keeps its state when the alarm comes early or twice, and sets the alarm again", async () => {
    const stub = bucket();
    await drain(stub);
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect((await stub.take(DEFAULT, 1)).allowed).toBe(false);
    expect(await stored(stub)).toEqual({ entries: 1, alarm: Date.now() + HOUR_MS });
    await evictDurableObject(stub);
    expect((await stub.take(DEFAULT, 1)).allowed).toBe(false);
  });

  it("with a long period does not wake every hour", async () => {
    const stub = bucket();
    const daily = { capacity: 10, periodSeconds: 86_400 };
    await drain(stub, daily);
    const { alarm } = await stored(stub);
    expect(alarm).toBeGreaterThan(Date.now() + 10 * HOUR_MS);
  });

  it("sets its alarm again if one was lost", async () => {
    const stub = bucket();
    await stub.take(DEFAULT, 1);
    await runInDurableObject(stub, (_, { storage }) => storage.deleteAlarm());
    pass(2 * HOUR_MS);
    await stub.take(DEFAULT, 1);
    expect(await stored(stub)).toEqual({ entries: 1, alarm: Date.now() + HOUR_MS });
  });
});
