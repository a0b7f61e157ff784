/** The rate limiter's smaller parts: addresses, the form of API keys, remembered denials, headers. */
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { API_KEY_PREFIX, storedAt } from "../../../contract/api-keys.ts";
import { addressKey } from "../../../worker/http/address.ts";
import { Memory } from "../../../worker/objects/memory.ts";
import { limitHeaders } from "../../../worker/rate-limit/headers.ts";
import { LEASE_MS } from "../../../worker/rate-limit/holds.ts";
import { limit } from "../../../worker/rate-limit/pattern.ts";
import { RememberedDenials } from "../../../worker/rate-limit/remembered-denials.ts";

it("a stack without rate limits has the default", () => {
  expect(v.parse(limit.settings.rateLimits, undefined)).toMatchObject({
    default: { capacity: 100, periodSeconds: 60 },
  });
});

describe("the key of a network address", () => {
  it.each([
    ["203.0.113.7", "203.0.113.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:DB8:1:2::", "2001:db8:1:2::/64"],
    ["2001:0db8:0001:0002:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["::ffff:cb00:7107", "203.0.113.7"],
    ["0:0:0:0:0:FFFF:203.0.113.7", "203.0.113.7"],
    ["64:ff9b::203.0.113.7", "64:ff9b:0:0::/64"],
  ])("of %s is %s", (text, key) => expect(addressKey(text)).toBe(key));

  it.each([
    "",
    "unknown",
    "1.2.3",
    "1.2.3.4.5",
    "256.0.0.1",
    "01.2.3.4",
    "1.2.3.4 ",
    ":::",
    "1::2::3",
    "2001:db8::g",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7::8",
    "::1.2.3.4:5",
    "fe80::1%eth0",
    "12345::",
    "1.2.3.4::",
  ])("does not exist for %j", (text) => expect(addressKey(text)).toBeUndefined());
});

describe("the form of an API key", () => {
  it("is looked up by its SHA-256, and anything else is not looked up", async () => {
    const key = `ds_${"A".repeat(43)}`;
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
    expect(await storedAt(key)).toBe(`${API_KEY_PREFIX}${new Uint8Array(digest).toHex()}`);
    for (const other of ["", "ds_", key.slice(1), `${key}A`, `${key}\n`, key.replace("A", "=")]) {
      expect(await storedAt(other)).toBeUndefined();
    }
  });
});

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

describe("the memory of an isolate", () => {
  it("is bounded: the oldest entry goes first", () => {
    const memory = new Memory<number>();
    for (let i = 0; i <= 10_000; i++) memory.set(`${i}`, i, 10);
    expect(memory.get("0", 0)).toBeUndefined();
    expect(memory.get("1", 0)).toBe(1);
    expect(memory.get("10000", 0)).toBe(10_000);
    expect(memory.get("1", 10)).toBeUndefined();
  });
});

describe("the headers", () => {
  const policy = { capacity: 100, periodSeconds: 60 };

  it("of an allowed answer give the tokens left and when more come", () => {
    expect(limitHeaders("default", policy, { allowed: true, remaining: 42, waitMs: 61 })).toEqual({
      "RateLimit-Policy": '"default";q=100;w=60',
      RateLimit: '"default";r=42;t=1',
      "X-RateLimit-Limit": "100",
      "X-RateLimit-Remaining": "42",
    });
    expect(limitHeaders("default", policy, { allowed: true, remaining: 100, waitMs: 0 })).toMatchObject({
      RateLimit: '"default";r=100',
    });
  });

  it("of a denial round the wait up, to at least a second", () => {
    for (const [waitMs, expected] of [
      [1, "1"],
      [1_000, "1"],
      [1_001, "2"],
    ] as const) {
      expect(limitHeaders("default", policy, { allowed: false, remaining: 0, waitMs })).toMatchObject({
        "Retry-After": expected,
      });
    }
  });
});
