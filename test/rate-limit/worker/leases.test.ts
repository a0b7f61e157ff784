/** Leases: isolates with clocks of their own, and the bucket's object, beside an ideal bucket. */

import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Policy } from "../../../worker/objects/bucket.ts";
import { type Ask, HOLD_MS, LEASE_MS } from "../../../worker/rate-limit/holds.ts";
import { Isolate } from "../../../worker/rate-limit/isolate.ts";
import type { Verdict } from "../../../worker/rate-limit/verdict.ts";
import { fc } from "../../properties.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { countRows } from "../../worker/rows.ts";
import { cost } from "../cost.ts";

/** 50 tokens a second. */
const QUICK: Policy = { capacity: 500, periodSeconds: 10 };
const RUNS = 40;
const START = 1_800_000_000_000;
let count = 0;

beforeEach(() => {
  stopClock(START);
});
afterEach(() => {
  vi.useRealTimers();
});

const bucket = (name = `test:limit:lease-${count++}`) => {
  const stub = () => env.RATE_LIMITER.getByName(name);
  return { name, stub };
};

/** What becomes of a call to the object. */
type Answer = "arrives" | "is lost" | "is lost and comes again";

/** An isolate of the Worker with a clock that differs from the object's. */
class SkewedIsolate {
  readonly #bucket: ReturnType<typeof bucket>;
  readonly #isolate = new Isolate({
    now: () => Date.now() + this.skew,
    call: ({ policy }, cost, ask) => this.#call(policy, cost, ask),
    giveBack: async ({ policy }, ended) => await this.#bucket.stub().giveBack(policy, ended),
    later: (ms, work) => {
      if (ms === 0) this.#ahead = work();
      else this.#whenOver = work;
    },
  });
  #answer: Answer = "arrives";
  /** The call for a lease that a check did not wait for. */
  #ahead: Promise<unknown> | undefined;
  #whenOver: (() => Promise<unknown>) | undefined;
  skew = 0;
  calls = 0;
  lastLease: string | undefined;

  constructor(of: ReturnType<typeof bucket>) {
    this.#bucket = of;
  }

  /** A check. Undefined if no answer came. */
  async check(policy: Policy, cost = 1, answer: Answer = "arrives"): Promise<Verdict | undefined> {
    this.#answer = answer;
    const verdict = await this.#isolate.take({ name: this.#bucket.name, policy }, cost);
    await this.#ahead;
    return verdict;
  }

  async #call(policy: Policy, cost: number, ask: Ask | undefined): Promise<Verdict | undefined> {
    this.calls++;
    const take = () => this.#bucket.stub().take(policy, cost, ask);
    if (this.#answer === "is lost and comes again") await take();
    const verdict = await take();
    if (this.#answer === "is lost") return undefined;
    if (ask) this.lastLease = ask.id;
    return verdict;
  }

  /** The time of the last lease is over. */
  async end(): Promise<void> {
    await this.#whenOver?.();
  }
}

/** Checks one after the other, `everyMs` apart. Returns how many were admitted. */
async function checks(isolate: SkewedIsolate, times: number, everyMs: number, policy = QUICK): Promise<number> {
  let admitted = 0;
  for (let i = 0; i < times; i++) {
    if ((await isolate.check(policy))?.allowed) admitted++;
    pass(everyMs);
  }
  return admitted;
}

describe("a caller who comes often", () => {
  it("costs a tenth of the calls and hardly a row", async () => {
    const of = bucket();
    const isolate = new SkewedIsolate(of);
    await checks(isolate, 20, 20);
    const rows = await countRows(of.stub());
    const before = isolate.calls;
    expect(await checks(isolate, 1_000, 20)).toBe(1_000);
    expect(isolate.calls - before).toBeLessThanOrEqual(1_000 * cost.check.callsWhenOften);
    expect(rows()).toBeLessThanOrEqual(10);
  });

  it("has no lease while they come seldom, or where the bucket refills slowly", async () => {
    const seldom = new SkewedIsolate(bucket());
    await checks(seldom, 20, 150);
    expect(seldom.calls).toBe(20);
    const slow = new SkewedIsolate(bucket());
    await checks(slow, 20, 1, { capacity: 100, periodSeconds: 60 });
    expect(slow.calls).toBe(20);
  });

  it("gets back what an idle isolate holds", async () => {
    const of = bucket();
    const isolate = new SkewedIsolate(of);
    await checks(isolate, 30, 1);
    const { remaining } = await of.stub().peek(QUICK, 1);
    expect(remaining).toBeLessThan(500 - 30);
    await isolate.end();
    expect((await of.stub().peek(QUICK, 1)).remaining).toBeGreaterThanOrEqual(500 - 30);
    // Once only.
    await of.stub().giveBack(QUICK, { id: isolate.lastLease ?? "", unused: 400 });
    expect((await of.stub().peek(QUICK, 1)).remaining).toBeLessThanOrEqual(500 - 30 + 2);
  });

  it("gets the same tokens if the call is made again because its answer was lost", async () => {
    const of = bucket();
    const ask = { id: "one", tokens: 40, ended: [] };
    expect(await of.stub().take(QUICK, 1, ask)).toMatchObject({ remaining: 459, leased: 40 });
    expect(await of.stub().take(QUICK, 1, ask)).toMatchObject({ remaining: 458, leased: 40 });
  });

  it("leaves to other isolates four fifths of the bucket", async () => {
    const of = bucket();
    expect(await of.stub().take(QUICK, 1, { id: "a", tokens: 400, ended: [] })).toMatchObject({ leased: 100 });
    expect((await of.stub().take(QUICK, 1, { id: "b", tokens: 400, ended: [] })).leased).toBeUndefined();
    pass(HOLD_MS);
    expect(await of.stub().take(QUICK, 1, { id: "c", tokens: 400, ended: [] })).toMatchObject({ leased: 99 });
  });

  it("has no lease beyond its second", async () => {
    const of = bucket();
    const isolate = new SkewedIsolate(of);
    await checks(isolate, 12, 1);
    pass(LEASE_MS);
    const before = isolate.calls;
    await isolate.check(QUICK);
    expect(isolate.calls).toBe(before + 1);
  });

  it("is told when to come back, also while isolates hold tokens", async () => {
    const { stub } = bucket();
    await stub().take(QUICK, 1, { id: "a", tokens: 100, ended: [] });
    const denied = await stub().take(QUICK, 450);
    expect(denied).toMatchObject({ allowed: false });
    pass(denied.waitMs);
    expect(await stub().take(QUICK, 450)).toMatchObject({ allowed: true });
  });
});

describe("a lease that outlives what was there when it was given", () => {
  it("stays counted if the object crashes, its alarm runs, and it crashes again", async () => {
    const { stub } = bucket();
    const quick = { capacity: 500, periodSeconds: 1 };
    await stub().take(quick, 1, { id: "a", tokens: 100, ended: [] });
    await evictDurableObject(stub());
    await runDurableObjectAlarm(stub());
    await evictDurableObject(stub());
    pass(LEASE_MS - 1);
    expect((await stub().peek(quick, 1)).remaining).toBeLessThanOrEqual(400);
  });

  it("is not refilled in its place for the time before the object was evicted", async () => {
    const { stub } = bucket();
    const slow = { capacity: 500, periodSeconds: 50 };
    await stub().take(slow, 95, { id: "a", tokens: 4, ended: [] });
    await stub().giveBack(slow, { id: "a", unused: 4 });
    pass(9_900);
    const { leased = 0 } = await stub().take(slow, 0, { id: "b", tokens: 100, ended: [] });
    expect(leased).toBeGreaterThan(50);
    // The isolate uses all of it up to its last moment. When the object wakes, the time of what its row says is over.
    pass(LEASE_MS - 50);
    await evictDurableObject(stub());
    pass(1_151);
    let burst = 0;
    while ((await stub().take(slow, 1)).allowed) burst++;
    expect(leased + burst).toBeLessThanOrEqual(500 + 1_151 / 100);
  });

  it("of a limit that is lowered denies a caller for two periods at most, as they are told", async () => {
    const { stub } = bucket();
    const lowered = { capacity: 10, periodSeconds: 10 };
    await stub().take(QUICK, 1, { id: "a", tokens: 100, ended: [] });
    const denied = await stub().take(lowered, 10);
    expect(denied).toMatchObject({ allowed: false, remaining: 0 });
    expect(denied.waitMs).toBeLessThanOrEqual(20_000 + HOLD_MS);
    pass(denied.waitMs);
    expect((await stub().take(lowered, 10)).allowed).toBe(true);
  });

  it("of a limit that is lowered gives back exactly what it did not use", async () => {
    const { stub } = bucket();
    const lowered = { capacity: 20, periodSeconds: 3_600 };
    await stub().take(QUICK, 1, { id: "a", tokens: 100, ended: [] });
    await stub().peek(lowered, 1);
    await stub().giveBack(lowered, { id: "a", unused: 90 });
    expect((await stub().peek(lowered, 1)).remaining).toBe(10);
  });
});

describe("isolates and object together", () => {
  const share = fc.integer({ min: 0, max: 2 });
  const step = fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        kind: fc.constant("checks" as const),
        isolate: share,
        times: fc.integer({ min: 1, max: 40 }),
        cost: fc.constantFrom(1, 1, 1, 3),
        answer: fc.constantFrom<Answer>("arrives", "arrives", "arrives", "is lost", "is lost and comes again"),
      }),
    },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 1_500 }) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 30_000 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("back" as const), ms: fc.integer({ min: 0, max: 9_000 }) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("skew" as const),
        isolate: share,
        ms: fc.integer({ min: -(HOLD_MS - LEASE_MS) / 2, max: 5_000 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("end" as const), isolate: share }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("evict" as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("policy" as const), capacity: fc.constantFrom(100, 300, 500, 900) }),
    },
  );

  it("admit no more than an ideal bucket, whatever is lost, evicted, late or changed", {
    timeout: 120_000,
  }, async () => {
    let leased = 0;
    await fc.assert(
      // In a second a bucket fills up while leases are out; in ten it does not.
      fc.asyncProperty(
        fc.constantFrom(1, 10),
        fc.array(step, { minLength: 20, maxLength: 80 }),
        async (period, steps) => {
          vi.setSystemTime(START);
          const of = bucket();
          const isolates = [new SkewedIsolate(of), new SkewedIsolate(of), new SkewedIsolate(of)];
          const isolate = (index: number) => isolates[index] ?? expect.fail("no such isolate");
          let policy: Policy = { ...QUICK, periodSeconds: period };
          let allowance = policy.capacity;
          let latest = Date.now();
          let highest = latest;
          let changedAt = latest;
          const moved = () => {
            highest = Math.max(highest, Date.now());
            const ms = Math.max(Date.now() - latest, 0);
            allowance = Math.min(allowance + (ms * policy.capacity) / (policy.periodSeconds * 1_000), policy.capacity);
            latest = Math.max(latest, Date.now());
          };
          for (const one of steps) {
            if (one.kind === "pass") pass(one.ms);
            // By a period at most. Beyond, each bucket begins again from what it knows (bucket.test.ts). And not behind a
            // change of the limit: where only memory had seen it, the time before it would refill by the new rate.
            else if (one.kind === "back") {
              pass(-Math.min(one.ms, Date.now() - highest + period * 1_000, Date.now() - changedAt));
            } else if (one.kind === "skew") isolate(one.isolate).skew += one.ms;
            else if (one.kind === "end") await isolate(one.isolate).end();
            else if (one.kind === "evict") {
              await of.stub().peek(policy, 1);
              await evictDurableObject(of.stub());
            } else if (one.kind === "policy") {
              // All leases under the old policy are over. The clock is not behind: the object may not have seen how far
              // it was, and would refill that time by the new rate.
              pass(Math.max(HOLD_MS, latest - Date.now()));
              moved();
              // A full bucket may have no row, and is then full under every limit.
              if (allowance === policy.capacity) allowance = Number.POSITIVE_INFINITY;
              policy = { ...policy, capacity: one.capacity };
              changedAt = Date.now();
              // The object learns of it before the bucket refills by the new rate.
              await of.stub().peek(policy, 1);
              allowance = Math.min(allowance, policy.capacity);
            }
            moved();
            if (one.kind !== "checks") continue;
            for (let i = 0; i < one.times; i++) {
              const before = isolate(one.isolate).calls;
              // A full bucket remembers nothing, so its time begins at the call that finds it full.
              if (allowance === policy.capacity) latest = Date.now();
              const verdict = await isolate(one.isolate).check(policy, one.cost, one.answer);
              if (!verdict?.allowed) continue;
              if (isolate(one.isolate).calls === before) leased++;
              allowance -= one.cost;
              expect(allowance).toBeGreaterThan(-1e-6);
              expect(verdict.remaining).toBeLessThanOrEqual(allowance + 1e-6);
              pass(1);
              moved();
            }
          }
        },
      ),
      { numRuns: RUNS, endOnFailure: true },
    );
    expect(leased).toBeGreaterThan(1_000);
  });
});
