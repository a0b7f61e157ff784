/** Denials that an isolate remembers. */
import { describe, expect, it } from "vitest";
import { LEASE_MS } from "../../../worker/rate-limit/holds.ts";
import { RememberedDenials } from "../../../worker/rate-limit/remembered-denials.ts";

describe("remembered denials", () => {
  const policy = { capacity: 60, periodSeconds: 60 };
  const denial = (waitMs: number) => ({ allowed: false, remaining: 0, waitMs });

  it("answer until the time that the object gave, and not a millisecond longer", () => {
    const denials = new RememberedDenials();
    denials.remember("a", policy, { cost: 1, verdict: denial(500) }, 1_000);
    expect(denials.answer("a", policy, 1, 1_499)).toEqual(denial(1));
    expect(denials.answer("a", policy, 1, 1_500)).toBeUndefined();
    expect(denials.answer("b", policy, 1, 1_400)).toBeUndefined();
  });

  it("hold longer for higher costs, and not for lower ones", () => {
    const denials = new RememberedDenials();
    denials.remember("a", policy, { cost: 5, verdict: denial(500) }, 1_000);
    expect(denials.answer("a", policy, 7, 1_000)).toEqual(denial(2_500));
    expect(denials.answer("a", policy, 4, 1_000)).toBeUndefined();
    denials.remember("a", policy, { cost: 2, verdict: denial(100) }, 1_000);
    expect(denials.answer("a", policy, 5, 1_000)).toEqual(denial(3_100));
    denials.remember("a", policy, { cost: 9, verdict: denial(9_000) }, 1_050);
    expect(denials.answer("a", policy, 2, 1_099)?.waitMs).toBe(1);
  });

  it("leave a higher cost to the object, if one that nobody asks is evicted before that cost fits", () => {
    const denials = new RememberedDenials();
    denials.remember("a", policy, { cost: 1, verdict: denial(5_000) }, 1_000);
    expect(denials.answer("a", policy, 3, 5_000)).toEqual(denial(3_000));
    expect(denials.answer("a", policy, 8, 5_000)).toBeUndefined();
    denials.remember("a", policy, { cost: 7, verdict: denial(7_000) }, 5_000);
    expect(denials.answer("a", policy, 7, 5_000)).toEqual(denial(7_000));
    expect(denials.answer("a", policy, 8, 5_000)).toBeUndefined();
    denials.remember("a", policy, { cost: 8, verdict: denial(8_000) }, 5_000);
    expect(denials.answer("a", policy, 8, 5_000)).toEqual(denial(8_000));
  });

  it("are not used after the clock has gone back, and an allowed answer is not remembered", () => {
    const denials = new RememberedDenials();
    denials.remember("a", policy, { cost: 1, verdict: denial(500) }, 1_000);
    expect(denials.answer("a", policy, 1, 999)).toBeUndefined();
    denials.remember("b", policy, { cost: 1, verdict: { allowed: true, remaining: 3, waitMs: 500 } }, 1_000);
    expect(denials.answer("b", policy, 1, 1_000)).toBeUndefined();
  });

  it("end with an admission, which takes tokens, and say that none is left, because others may take them", () => {
    const denials = new RememberedDenials();
    denials.remember("a", policy, { cost: 50, verdict: { allowed: false, remaining: 40, waitMs: 500 } }, 1_000);
    expect(denials.answer("a", policy, 50, 1_000)).toEqual(denial(500));
    denials.remember("a", policy, { cost: 30, verdict: { allowed: true, remaining: 10, waitMs: 0 } }, 1_000);
    expect(denials.answer("a", policy, 50, 1_000)).toBeUndefined();
  });

  it("stay when a lease is asked for ahead, which admits nothing", () => {
    const denials = new RememberedDenials();
    denials.remember("a", policy, { cost: 50, verdict: { allowed: false, remaining: 40, waitMs: 500 } }, 1_000);
    denials.remember("a", policy, { cost: 0, verdict: { allowed: true, remaining: 40, waitMs: 0 } }, 1_000);
    expect(denials.answer("a", policy, 50, 1_000)).toEqual(denial(500));
  });

  it("say nothing of a higher cost for which there may be no room beside leases", () => {
    const denials = new RememberedDenials();
    const quick = { capacity: 500, periodSeconds: 1 };
    denials.remember("a", quick, { cost: 10, verdict: denial(20) }, 1_000);
    expect(denials.answer("a", quick, 400, 1_000)).toEqual(denial(800));
    expect(denials.answer("a", quick, 401, 1_000)).toBeUndefined();
    denials.remember("b", quick, { cost: 450, verdict: denial(2_000) }, 1_000);
    expect(denials.answer("b", quick, 450, 1_000)).toEqual(denial(2_000));
  });

  it("of a policy with leases last as long as a lease, because tokens may come back from one", () => {
    const denials = new RememberedDenials();
    const quick = { capacity: 1_000_000, periodSeconds: 86_400 };
    denials.remember("a", quick, { cost: 770_000, verdict: denial(1_728_000) }, 1_000);
    expect(denials.answer("a", quick, 770_000, 1_000 + LEASE_MS - 1)?.waitMs).toBe(1_727_001);
    expect(denials.answer("a", quick, 770_000, 1_000 + LEASE_MS)).toBeUndefined();
  });
});
