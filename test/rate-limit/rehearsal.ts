/** A bucket never has more tokens than it had plus those refilled since: used tokens stay used. */
import type { Filling } from "../../infra/rehearsal/filling.ts";
import { holds, member, status } from "../../infra/smoke/expect.ts";

/** The share of the capacity to take. The rest is more than the calls of a read need. */
const TAKEN_SHARE = 0.9;

export const filling: Filling = {
  binding: "RATE_LIMITER",
  takesId: false,
  // Buckets refill, so this pattern is filled last: then least has come back when it is read.
  last: true,
  async fill({ client, home }) {
    const peek = async () => status("GET /limit", await client.call("/limit"), 200);
    const full = await peek();
    const capacity = Number(member(full, "limit"));
    const perMs = capacity / Number(member(full, "periodSeconds")) / 1_000;
    const asked = performance.now();
    const cost = Math.max(Math.floor(capacity * TAKEN_SHARE), 1);
    const taken = status("POST /limit/check", await client.call("/limit/check", { json: { cost } }), 200);
    const left = Number(member(taken, "remaining"));
    const read = async () => {
      const remaining = Number(member(await peek(), "remaining"));
      // The shown number is rounded down, so the bucket had up to one token more.
      const most = left + 1 + (performance.now() - asked) * perMs;
      holds(`${remaining} tokens are left, where at most ${Math.floor(most)} can be`, remaining <= most);
      return { admitted: "no more than the limit" };
    };
    // A key's bucket is in the home region, wherever its caller is.
    return { read, region: home };
  },
};
