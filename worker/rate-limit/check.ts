/** The verdict of a bucket: from a remembered denial, from a lease of this isolate, or from the bucket's object. */
import { waitUntil } from "cloudflare:workers";
import type { Context } from "hono";
import type { App } from "../http/context.ts";
import { refusal } from "../http/problem.ts";
import type { Policy } from "../objects/bucket.ts";
import { within } from "../objects/deadline.ts";
import { formatId, objectFor, type Place, stubAt } from "../objects/names.ts";
import { retry } from "../objects/retry.ts";
import { stackOf } from "../stack.ts";
import { Denials } from "./denials.ts";
import { type Ask, LEASE_MS } from "./holds.ts";
import { Leases } from "./leases.ts";
import type { RateLimiterDO } from "./limiter.ts";
import { limit } from "./pattern.ts";
import { unpacked, type Verdict } from "./verdict.ts";

/** A policy with the name that callers see. */
export interface NamedPolicy extends Policy {
  readonly name: string;
}

/** How long to wait for the object. */
const DEADLINE_MS = 2_000;

const denials = new Denials();
const leases = new Leases();

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
  { policy, caller, cost }: Asked,
): Promise<Verdict | undefined> {
  const at = { ...caller, id: `${policy.name}.${caller.id}` };
  const name = formatId(at);
  const bucket = { c, at, name, policy: { capacity: policy.capacity, periodSeconds: policy.periodSeconds } };
  if (method === "peek") return answered(bucket, (stub) => stub.peek(bucket.policy, cost));
  const now = Date.now();
  const known = denials.answer(name, policy, cost, now);
  if (known) return known;
  const { verdict, ask } = leases.spend(name, policy, cost, now);
  if (!verdict) return takeFrom(bucket, cost, ask);
  // Asked for before it is needed, so that nobody waits for it.
  if (ask) waitUntil(takeFrom(bucket, 0, ask));
  return verdict;
}

/** A bucket and the request that asks about it. */
interface Of {
  readonly c: Context<App>;
  readonly at: Place;
  readonly name: string;
  readonly policy: Policy;
}

/** Takes tokens from the object, and a lease if one is asked for. */
async function takeFrom(bucket: Of, cost: number, ask: Ask | undefined): Promise<Verdict | undefined> {
  const { name, policy } = bucket;
  const askedAt = Date.now();
  // If the first call did count, a retry takes the tokens twice. That is safe, and better than an outage.
  const verdict = await answered(bucket, async (stub) =>
    ask
      ? await stub.take(policy, cost, ask)
      : unpacked(await stub.takePacked(policy.capacity, policy.periodSeconds, cost)),
  );
  if (verdict) denials.remember(name, policy, { cost, verdict }, Date.now());
  if (!ask) return verdict;
  if (!verdict) leases.failed(name, policy, Date.now());
  else {
    const { leased = 0, ...rest } = verdict;
    leases.granted(name, policy, ask, { tokens: leased, askedAt, now: Date.now() });
    if (leased > 0) waitUntil(endOf(bucket, ask.id));
    return rest;
  }
  return undefined;
}

/** Gives back what is left of a lease when its time is over. If that fails, the caller loses it. */
async function endOf({ c, at, name, policy }: Of, id: string): Promise<void> {
  await scheduler.wait(LEASE_MS);
  const unused = leases.end(name, policy, id, Date.now());
  if (unused === 0) return;
  await stubAt(c.env, limit, at)
    .giveBack(policy, { id, unused })
    .catch(() => undefined);
}

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
