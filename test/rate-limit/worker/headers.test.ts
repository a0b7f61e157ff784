/** What a caller is told of the limit. */
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { limitHeaders } from "../../../worker/rate-limit/headers.ts";
import { limit } from "../../../worker/rate-limit/pattern.ts";

it("a stack without rate limits has the default", () => {
  expect(v.parse(limit.settings.rateLimits, undefined)).toMatchObject({
    default: { capacity: 100, periodSeconds: 60 },
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
