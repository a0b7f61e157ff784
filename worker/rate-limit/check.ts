/** The verdict of a bucket: what this isolate knows (isolate.ts), or else the answer of the bucket's object. */
import { waitUntil } from "cloudflare:workers";
import type { Context } from "hono";
import type { App } from "../http/context.ts";
import { refusal } from "../http/problem.ts";
import type { Policy } from "../objects/bucket.ts";
import { within } from "../objects/deadline.ts";
import { formatId, objectFor, type Place, stubAt } from "../objects/names.ts";
import { retry } from "../objects/retry.ts";
import { stackOf } from "../stack.ts";
import { Isolate, type Named } from "./isolate.ts";
import type { RateLimiterDO } from "./limiter.ts";
import { limit } from "./pattern.ts";
import { unpacked, type Verdict } from "./verdict.ts";

/** A policy with the name that callers see. */
export interface NamedPolicy extends Policy {
  readonly name: string;
}

/** How long to wait for the object. */
const DEADLINE_MS = 2_000;

/** The stack's policy of this name, else its default. All names without a policy share the default's buckets. */
export function policyOf(c: Context<App>, name: string): NamedPolicy {
  const { rateLimits } = stackOf(c.env).settings;
  const own = Object.hasOwn(rateLimits, name) ? rateLimits[name] : undefined;
  return own ? { name, ...own } : { name: "default", ...rateLimits.default };
}

/** Refuses (400) a cost that a bucket of this policy can never pay. */
export function affordable(cost: number, { name, capacity }: NamedPolicy): number {
  if (Number.isSafeInteger(cost) && cost >= 1 && cost <= capacity) return cost;
  throw refusal(
    "invalid-input",
    `cost: ${cost} is not a whole number from 1 to ${capacity}, all that "${name}" allows`,
  );
}

/** A question to a bucket: `cost` tokens (a whole number from 1 to the capacity) for `caller` under `policy`. */
interface Asked {
  readonly policy: NamedPolicy;
  readonly caller: Place;
  readonly cost: number;
}

/** The verdict of the caller's bucket; undefined if its object does not answer. */
export async function check(
  c: Context<App>,
  method: "take" | "peek",
  { policy: { name, capacity, periodSeconds }, caller, cost }: Asked,
): Promise<Verdict | undefined> {
  const at = { ...caller, id: `${name}.${caller.id}` };
  const bucket = { c, at, name: formatId(at), policy: { capacity, periodSeconds } };
  if (method === "take") return isolate.take(bucket, cost);
  return answered(bucket, (stub) => stub.peek(bucket.policy, cost));
}

/** A bucket and the request that asks about it. */
interface Of extends Named {
  readonly c: Context<App>;
  readonly at: Place;
}

const isolate = new Isolate<Of>({
  now: () => Date.now(),
  // If the first call did count, a retry takes the tokens twice. That is safe, and better than an outage.
  call: (bucket, cost, ask) =>
    answered(bucket, async (stub) => {
      const { policy } = bucket;
      if (ask) return await stub.take(policy, cost, ask);
      return unpacked(await stub.takePacked(policy.capacity, policy.periodSeconds, cost));
    }),
  giveBack: ({ c, at, policy }, ended) => stubAt(c.env, limit, at).giveBack(policy, ended),
  later: (ms, work) => waitUntil(ms > 0 ? scheduler.wait(ms).then(work) : work()),
});

/** The object's answer; undefined if there is none. */
async function answered(
  { c, at }: Of,
  call: (stub: DurableObjectStub<RateLimiterDO>) => Promise<Verdict>,
): Promise<Verdict | undefined> {
  try {
    return await within(
      DEADLINE_MS,
      retry(() => call(objectFor(c, limit, at))),
    );
  } catch (error) {
    console.warn(JSON.stringify({ requestId: c.get("requestId"), rateLimiter: "unavailable", error: String(error) }));
    return undefined;
  }
}
