/** The rate limiter: shows the tokens left, takes the cost of a call, and takes nothing for a refused call. */
import { equal, holds, member, status } from "../../infra/smoke/expect.ts";
import type { Subject } from "../../infra/smoke/probe.ts";

/** The share of the capacity to take: more than is refilled between two calls. */
const TAKEN_SHARE = 0.1;

/** It takes tokens, so probes after it might have to wait. */
export const last = true;

export async function probe({ client }: Subject): Promise<string> {
  const peek = status("GET /limit", await client.call("/limit"), 200);
  const capacity = Number(member(peek, "limit"));
  holds("the bucket has a capacity", capacity >= 1);
  const taken = await client.call("/limit/check", { json: { cost: Math.ceil(capacity * TAKEN_SHARE) } });
  const left = Number(member(status("POST /limit/check", taken, 200), "remaining"));
  equal("X-RateLimit-Limit", taken.headers.get("X-RateLimit-Limit"), String(capacity));
  holds("RateLimit and RateLimit-Policy are sent", /r=\d+/.test(taken.headers.get("RateLimit") ?? ""));

  const denied = await client.call("/limit/check", { json: { cost: capacity }, limited: true });
  const problem = status("a call that costs more than is left", denied, 429);
  equal("allowed", member(problem, "allowed"), false);
  const wait = Number(denied.headers.get("Retry-After"));
  holds("Retry-After is a whole number of seconds, at least 1", Number.isInteger(wait) && wait >= 1);
  equal("retryAfter", member(problem, "retryAfter"), wait);
  const after = status("GET /limit", await client.call("/limit"), 200);
  holds("the refused call took nothing", Number(member(after, "remaining")) >= left);
  status("a cost that no bucket can pay", await client.call("/limit/check", { json: { cost: capacity + 1 } }), 400);
  return `${capacity} tokens in ${member(peek, "periodSeconds")} s; refused, then ${wait} s to wait`;
}
