/** One bucket under random operations and random faults, checked against a model. */
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { Dice, expectFaults, maybeFault, operations, seed, Tally, useOwnClock } from "../../worker/chaos.ts";
import { pass } from "../../worker/clock.ts";

useOwnClock();

it("the rate limiter never admits more than it may", async () => {
  const dice = new Dice(seed + 1);
  const tally = new Tally();
  const policy = { capacity: 30, periodSeconds: 20 };
  const name = `chaos:limit:${seed}`;
  const stub = () => env.RATE_LIMITER.getByName(name);
  let allowance = policy.capacity;
  let latest = Date.now();
  let violations = 0;
  for (let i = 0; i < operations; i++) {
    await maybeFault(dice, tally, stub);
    pass(dice.whole(0, 1_500));
    // If the clock is a period behind, the earlier time was wrong. A full bucket remembers nothing, not even the time.
    if (latest - Date.now() > policy.periodSeconds * 1_000 || allowance === policy.capacity) latest = Date.now();
    // The refill of an ideal bucket, for time that was not counted before.
    allowance = Math.min(
      allowance + (Math.max(Date.now() - latest, 0) * policy.capacity) / (policy.periodSeconds * 1_000),
      policy.capacity,
    );
    latest = Math.max(latest, Date.now());
    const cost = dice.whole(1, 4);
    const calls = Array.from({ length: dice.whole(1, 4) }, () =>
      stub()
        .take(policy, cost)
        .catch(() => undefined),
    );
    for (const verdict of await Promise.all(calls)) {
      tally.add(verdict === undefined ? "lost checks" : verdict.allowed ? "admissions" : "denials");
      if (verdict?.allowed) allowance -= cost;
    }
    if (allowance < -1e-6) violations++;
  }
  tally.report("rate limiter", operations, violations);
  expect(violations).toBe(0);
  // It admits what it may, too.
  expect(tally.of("admissions")).toBeGreaterThan(operations / 4);
  expect(tally.of("lost checks")).toBeLessThan(operations / 4);
  expectFaults(tally, operations);
});
