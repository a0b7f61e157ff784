/** The arithmetic of the token bucket, with random sequences (fast-check). */
import { describe, expect, it } from "vitest";
import {
  adapt,
  type Bucket,
  covers,
  full,
  isBelow,
  lower,
  type Policy,
  type RefillingBucket,
  refill,
  reserve,
  reserveFor,
  take,
  tokens,
  waitFor,
} from "../../../worker/objects/bucket.ts";
import { fc } from "../../properties.ts";

const START = 1_800_000_000_000;
const policies: fc.Arbitrary<Policy> = fc.record({
  capacity: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 1_000_000 })),
  periodSeconds: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 86_400 })),
});
/** A used bucket, with `share` of it left. */
const used = (policy: Policy, share: number): Bucket => ({
  units: Math.floor(full(policy, START).units * share),
  at: START,
});
const share = fc.double({ min: 0, max: 1, noNaN: true });
const leases = fc.integer({ min: 0, max: 100 });

describe("the token bucket", () => {
  it("refills by many small steps exactly as much as by one big step", () => {
    fc.assert(
      fc.property(
        policies,
        share,
        fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 50 }),
        (policy, left, steps) => {
          const start = used(policy, left);
          let stepwise = start;
          let now = START;
          for (const step of steps) {
            now += step;
            stepwise = refill(stepwise, policy, now);
          }
          expect(stepwise).toEqual(refill(start, policy, now));
        },
      ),
    );
  });

  it("is empty after its capacity and full after its period, to the millisecond", () => {
    fc.assert(
      fc.property(policies, (policy) => {
        const empty = take(full(policy, START), policy, policy.capacity);
        expect(empty.allowed).toBe(true);
        expect(take(empty.bucket, policy, 1).allowed).toBe(false);
        const periodMs = policy.periodSeconds * 1_000;
        expect(tokens(refill(empty.bucket, policy, START + periodMs), policy)).toBe(policy.capacity);
        expect(tokens(refill(empty.bucket, policy, START + periodMs - 1), policy)).toBeLessThan(policy.capacity);
        expect(waitFor(empty.bucket, policy, policy.capacity, START)).toBe(periodMs);
      }),
    );
  });

  it("takes nothing when it denies", () => {
    fc.assert(
      fc.property(policies, share, fc.integer({ min: 1, max: 2_000_000 }), (policy, left, cost) => {
        const bucket = used(policy, left);
        const taken = take(bucket, policy, cost);
        expect(taken.allowed).toBe(cost <= bucket.units / (policy.periodSeconds * 1_000));
        if (!taken.allowed) expect(taken.bucket).toEqual(bucket);
        expect(taken.bucket.units).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it("says exactly when the cost fits, which is never for more than the capacity", () => {
    fc.assert(
      fc.property(policies, share, share, (policy, left, part) => {
        const cost = Math.max(Math.floor(policy.capacity * part), 1);
        const bucket = used(policy, left);
        const wait = waitFor(bucket, policy, cost, START);
        expect(take(refill(bucket, policy, START + wait), policy, cost).allowed).toBe(true);
        if (wait > 0) expect(take(refill(bucket, policy, START + wait - 1), policy, cost).allowed).toBe(false);
        expect(waitFor(bucket, policy, policy.capacity + 1, START)).toBe(Number.POSITIVE_INFINITY);
      }),
    );
  });

  it("gains nothing if the clock goes back, and does not wait for a clock that had run ahead", () => {
    const policy = { capacity: 10, periodSeconds: 60 };
    const empty = { units: 0, at: START };
    expect(refill(empty, policy, START - 500).units).toBe(0);
    // Back and forth inside a period: only time beyond the latest time counts.
    expect(tokens(refill(refill(empty, policy, START - 500), policy, START + 6_000), policy)).toBe(1);
    // A year back: the bucket refills from there on, and is not stuck for a year.
    const year = 365 * 86_400_000;
    const back = refill(empty, policy, START - year);
    expect(back.units).toBe(0);
    expect(tokens(refill(back, policy, START - year + 6_000), policy)).toBe(1);
  });

  it("keeps its tokens when the policy changes, down to the new capacity and never more", () => {
    fc.assert(
      fc.property(policies, policies, share, (from, to, left) => {
        const before = used(from, left);
        const after = adapt(before, from, to);
        expect(tokens(after, to)).toBeLessThanOrEqual(Math.min(tokens(before, from) + 1, to.capacity));
        expect(tokens(after, to)).toBeGreaterThanOrEqual(Math.min(tokens(before, from), to.capacity) - 1);
      }),
    );
    const [big, small] = [
      { capacity: 100, periodSeconds: 60 },
      { capacity: 5, periodSeconds: 60 },
    ];
    expect(tokens(adapt(full(big, START), big, small), small)).toBe(5);
    expect(tokens(adapt(full(small, START), small, big), big)).toBe(5);
  });

  it("of the lower of two policies never has more than under either", () => {
    fc.assert(
      fc.property(policies, policies, share, fc.integer({ min: 0, max: 200_000_000 }), (one, other, left, later) => {
        const low = lower(one, other);
        expect(isBelow(low, one) && isBelow(low, other)).toBe(true);
        const real = used(one, left);
        const written = { bucket: adapt(real, one, low), policy: low };
        const now = START + later;
        expect(covers(written, refill(real, one, now), one)).toBe(true);
        expect(covers(written, refill(adapt(real, one, other), other, now), other)).toBe(true);
      }),
    );
    expect(lower({ capacity: 10, periodSeconds: 60 }, { capacity: 20, periodSeconds: 240 })).toEqual({
      capacity: 10,
      periodSeconds: 120,
    });
  });

  it("stores less than the real bucket has, now and later", () => {
    fc.assert(
      fc.property(policies, share, leases, fc.integer({ min: 0, max: 200_000_000 }), (policy, left, lease, later) => {
        const real = used(policy, left);
        const written = reserve(real, policy, lease);
        const now = START + later;
        expect(refill(written, policy, now).units).toBeLessThanOrEqual(refill(real, policy, now).units);
        expect(covers({ bucket: written, policy }, real, policy)).toBe(true);
      }),
    );
  });
});

describe("a reserve", () => {
  const policy = { capacity: 100, periodSeconds: 60 };
  const slow = { capacity: 100, periodSeconds: 3_600 };

  it("is for a slow caller what refills before an eviction, so that they lose nothing", () => {
    for (const [used, elapsed] of [
      [1, Number.POSITIVE_INFINITY],
      [1, 15_000],
      [3, 60_000],
    ] as const) {
      expect(reserveFor(used, elapsed, policy)).toBe(16);
      expect(reserveFor(used, elapsed, slow)).toBe(0);
    }
  });

  it("is as much as a steady caller uses in ten seconds", () => {
    expect(reserveFor(5, 5_000, slow)).toBe(10);
    expect(reserveFor(4, 2_000, slow)).toBe(16);
  });

  it("grows with a burst, up to a fifth of the capacity and a hundred tokens", () => {
    expect([1, 2, 5, 50].map((used) => reserveFor(used, 0, slow))).toEqual([4, 8, 20, 20]);
    expect(reserveFor(1_000, 10, { capacity: 100_000, periodSeconds: 86_400 })).toBe(100);
    expect(reserveFor(4, 0, { capacity: 4, periodSeconds: 1 })).toBe(0);
  });

  it("grows with the refill, so that a bucket that refills faster than it is used has few writes", () => {
    expect(reserveFor(1, 10, { capacity: 1_000_000, periodSeconds: 60 })).toBe(166_666);
  });
});

describe("a bucket and its stored copy", () => {
  /** Events of the object, simulated: a real bucket, a stored one, crashes. */
  type Event =
    | { kind: "take"; cost: number; lease: number }
    | { kind: "pass"; ms: number }
    | { kind: "crash" }
    | { kind: "policy"; policy: Policy };
  const events: fc.Arbitrary<Event> = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant("take" as const),
        cost: fc.integer({ min: 1, max: 30 }),
        lease: leases,
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: -3_000, max: 20_000 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("crash" as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("policy" as const),
        policy: fc.record({
          capacity: fc.integer({ min: 1, max: 200 }),
          periodSeconds: fc.integer({ min: 1, max: 120 }),
        }),
      }),
    },
  );

  it("admit at most capacity and refill, over any times, costs, crashes and changes of the limit", () => {
    fc.assert(
      fc.property(fc.array(events, { maxLength: 200 }), (sequence) => {
        let policy: Policy = { capacity: 100, periodSeconds: 60 };
        let now = START;
        let latest = START;
        let real = full(policy, now);
        let written: RefillingBucket | undefined;
        let lowest = policy;
        const write = (bucket: Bucket) => {
          const low = lower(lowest, policy);
          written = { bucket: adapt(bucket, policy, low), policy: low };
          lowest = policy;
        };
        // An ideal bucket that never loses tokens: the most that may be admitted.
        let allowance = policy.capacity;
        const look = () => {
          const forward = Math.max(now - latest, 0);
          // After a step back by more than a period, time goes on from there.
          latest = latest - now > policy.periodSeconds * 1_000 ? now : Math.max(latest, now);
          allowance = Math.min(
            allowance + (forward * policy.capacity) / (policy.periodSeconds * 1_000),
            policy.capacity,
          );
        };
        for (const event of sequence) {
          // A time to which the clock went and from which it came back, and nobody called meanwhile, is as if it had not been.
          if (event.kind !== "pass") look();
          if (event.kind === "pass") now += event.ms;
          else if (event.kind === "crash") {
            // Like the object, read it under the policy by which it has refilled since.
            real = written
              ? adapt(refill(written.bucket, written.policy, now), written.policy, policy)
              : full(policy, now);
          } else if (event.kind === "policy") {
            const next = event.policy;
            real = refill(adapt(refill(real, policy, now), policy, next), next, now);
            policy = next;
            lowest = written ? lower(lowest, policy) : policy;
            // Without a row no token was ever taken, so the bucket is full under both policies.
            if (!written) real = full(policy, now);
            else if (!isBelow(written.policy, policy)) write(real);
            allowance = written ? Math.min(allowance, policy.capacity) : policy.capacity;
          } else {
            // A bucket's time begins at its first call.
            if (!written) [real, latest] = [full(policy, now), now];
            const taken = take(refill(real, policy, now), policy, event.cost);
            real = taken.bucket;
            if (!taken.allowed) continue;
            if (!written || !covers(written, real, policy)) write(reserve(real, policy, event.lease));
            allowance -= event.cost;
            expect(allowance).toBeGreaterThan(-1e-6);
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
