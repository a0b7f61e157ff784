/**
 * The headers that tell a caller about the limit: the article's `X-RateLimit-*` (README.md), and the standard's
 * `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers, sections 3 and 4).
 */
import type { Policy } from "../objects/bucket.ts";
import type { Verdict } from "./verdict.ts";

/** The headers of an answer under this policy, allowed or denied. */
export function limitHeaders(name: string, policy: Policy, verdict: Verdict): Record<string, string> {
  const { capacity, periodSeconds } = policy;
  const { allowed, remaining, waitMs } = verdict;
  // `t`: seconds until there are more tokens. A full bucket gets no more.
  const more = waitMs > 0 ? `;t=${seconds(waitMs)}` : "";
  return {
    "RateLimit-Policy": `"${name}";q=${capacity};w=${periodSeconds}`,
    RateLimit: `"${name}";r=${remaining}${more}`,
    "X-RateLimit-Limit": String(capacity),
    "X-RateLimit-Remaining": String(remaining),
    ...(!allowed && { "Retry-After": String(seconds(waitMs)) }),
  };
}

/** Whole seconds, rounded up and at least one, so that a caller who waits this long passes. */
export const seconds = (ms: number) => Math.max(Math.ceil(ms / 1_000), 1);
