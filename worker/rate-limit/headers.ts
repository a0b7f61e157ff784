/**
 * What an answer says about the limit, in both families of headers: the article's `X-RateLimit-*`, and `RateLimit`
 * with `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers, sections 3 and 4).
 */
import type { Policy } from "../objects/bucket.ts";
import type { Verdict } from "./limiter.ts";

/** The headers of an answer under this policy, allowed or denied. */
export function limitHeaders(name: string, policy: Policy, verdict: Verdict): Record<string, string> {
  const { capacity, periodSeconds } = policy;
  const { allowed, remaining, waitMs } = verdict;
  // `t`: seconds until more is there. A full bucket has no more to come.
  const more = waitMs > 0 ? `;t=${seconds(waitMs)}` : "";
  return {
    "RateLimit-Policy": `"${name}";q=${capacity};w=${periodSeconds}`,
    RateLimit: `"${name}";r=${remaining}${more}`,
    "X-RateLimit-Limit": String(capacity),
    "X-RateLimit-Remaining": String(remaining),
    ...(!allowed && { "Retry-After": String(seconds(waitMs)) }),
  };
}

/** Whole seconds, rounded up and at least one: who comes back after them is let in. */
export const seconds = (ms: number) => Math.max(Math.ceil(ms / 1_000), 1);
