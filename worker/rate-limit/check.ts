/** Asks a bucket's object for its verdict, or takes a remembered denial. */
import type { Context } from "hono";
import type { App } from "../http/context.ts";
import { refusal } from "../http/problem.ts";
import type { Policy } from "../objects/bucket.ts";
import { within } from "../objects/deadline.ts";
import { formatId, objectFor, type Place } from "../objects/names.ts";
import { retry } from "../objects/retry.ts";
import { stackOf } from "../stack.ts";
import { Denials } from "./denials.ts";
import type { Verdict } from "./limiter.ts";
import { limit } from "./pattern.ts";

/** A policy with the name that callers see. */
export interface NamedPolicy extends Policy {
  readonly name: string;
}

/** How long to wait for the object. */
const DEADLINE_MS = 2_000;

const denials = new Denials();

/** The stack's policy of this name, else its default. All names without a policy share the default's buckets. */
export function policyOf(c: Context<App>, name: string): NamedPolicy {
  const { default: fallback, ...named } = stackOf(c.env).settings.rateLimits;
  const own = Object.hasOwn(named, name) ? named[name] : undefined;
  return own ? { name, ...own } : { name: "default", ...fallback };
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
  const known = denials.answer(name, policy, cost, Date.now());
  if (known) return known;
  const { capacity, periodSeconds } = policy;
  try {
    // If the first call did count, a retry takes the tokens twice. That is safe, and better than an outage.
    const verdict = await within(
      DEADLINE_MS,
      retry(() => objectFor(c, limit, at)[method]({ capacity, periodSeconds }, cost)),
    );
    denials.remember(name, cost, verdict, Date.now());
    return verdict;
  } catch (error) {
    console.warn(JSON.stringify({ requestId: c.get("requestId"), rateLimiter: "unavailable", error: String(error) }));
    return undefined;
  }
}
