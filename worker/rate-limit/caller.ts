/**
 * Whose bucket a request takes from: that of a verified API key, else of the user, else of the network address. An
 * unknown key or token has no bucket of its own; nor has a guest session, which anybody can make, or the admin token.
 */
import type { Context } from "hono";
import { sha256 } from "../../contract/secrets.ts";
import { addressOf } from "../http/address.ts";
import { bearerToken } from "../http/admin.ts";
import { apiKeyOf } from "../http/api-key.ts";
import { callerOrRefusal } from "../http/caller.ts";
import type { App } from "../http/context.ts";
import { mayGuess, wasNoGuess } from "../http/guesses.ts";
import { Refusal } from "../http/problem.ts";
import { Memory } from "../objects/memory.ts";
import { homeRegion, type Place, regionOfCaller } from "../objects/names.ts";
import { stackOf } from "../stack.ts";

/** How long to remember the user of a token. It only chooses a bucket, so the token may have expired by then. */
const REMEMBERED_MS = 60_000;
/** A guess is for so many requests with the same token, if they come in so short a time: a page sends many at once. */
const TOGETHER = { requests: 50, ms: 5_000 };

/** The ids of users' buckets, by token; null for a token that belongs to no user. */
const known = new Memory<string | null>();
/** How many requests have shown a token since the guess that was charged for it. */
const together = new Memory<number>();

/**
 * The place of the caller's bucket. A key's bucket is in the home region, because callers everywhere may share the key.
 * The others are in the caller's region, near to whoever waits.
 */
export async function bucketOf(c: Context<App>): Promise<Place> {
  const key = await apiKeyOf(c);
  // One that could not be checked pays as its address, too.
  if (typeof key === "object") return { region: homeRegion(stackOf(c.env).regions), id: `key-${key.id}` };
  const user = await userBucket(c);
  return user === undefined ? bucketOfAddress(c) : { region: regionOfCaller(c), id: user };
}

/** The bucket of the network address, even if the caller shows a key or a token. */
export function bucketOfAddress(c: Context<App>): Place {
  return { region: regionOfCaller(c), id: `ip-${addressOf(c).replaceAll(":", "-")}` };
}

async function userBucket(c: Context<App>): Promise<string | undefined> {
  const token = tokenOf(c);
  if (token === undefined) return undefined;
  const now = Date.now();
  const remembered = known.get(token, now);
  if (remembered !== undefined) return remembered ?? undefined;
  const charge = c.get("identified") ? "none" : chargeGuess(c, token, now);
  if (charge === "refused") return undefined;
  // If the caller cannot be identified now, the address pays. The route tries again, and answers with the error.
  const caller = await callerOrRefusal(c).catch(() => undefined);
  if (!caller || caller instanceof Refusal) return undefined;
  const isFree = caller.kind !== "user";
  if (charge === "taken" || !isFree) wasNoGuess(c, isFree);
  const id = caller.kind === "user" ? `user-${await sha256(caller.id)}` : null;
  known.set(token, id, now + REMEMBERED_MS);
  return id ?? undefined;
}

/** Charges the address for a look-up of a token: once for the requests with it that come together. */
function chargeGuess(c: Context<App>, token: string, now: number): "taken" | "none" | "refused" {
  const requests = together.get(token, now);
  const isOneOfMany = requests !== undefined && requests < TOGETHER.requests;
  if (!isOneOfMany && !mayGuess(c)) return "refused";
  together.set(token, isOneOfMany ? requests + 1 : 1, now + TOGETHER.ms);
  return isOneOfMany ? "none" : "taken";
}

function tokenOf(c: Context<App>): string | undefined {
  try {
    return bearerToken(c) ?? c.get("sessions")?.cookieOf(c);
  } catch (error) {
    // A foreign page sent the cookie.
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}
