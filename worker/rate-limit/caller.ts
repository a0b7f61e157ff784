/**
 * Who a request counts against: the holder of a verified API key, else a user, wherever they are, else the network
 * address. What is not known buys nothing: the request counts against its address like any other. So does a guest,
 * whom anybody can make, and the admin.
 */
import type { Context } from "hono";
import { sha256 } from "../../contract/secrets.ts";
import { bearerToken } from "../http/admin.ts";
import { apiKeyOf } from "../http/api-key.ts";
import { callerOrRefusal } from "../http/caller.ts";
import type { App } from "../http/context.ts";
import { addressOf, mayGuess, wasNoGuess } from "../http/guesses.ts";
import { Refusal } from "../http/problem.ts";
import { Memory } from "../objects/memory.ts";
import { homeRegion, type Place, regionOfCaller } from "../objects/names.ts";
import { stackOf } from "../stack.ts";

/** How long a token that was looked up stands for the same user here. It opens nothing, so it may be over by then. */
const REMEMBERED_MS = 60_000;

/** Ids of users' buckets by the token that they show; null for tokens that are no user's. */
const known = new Memory<string | null>();

/**
 * Where the caller's bucket lives. That of a key is at home, however many places use it; the others are with the
 * caller's part of the world, near to who waits.
 */
export async function bucketOf(c: Context<App>): Promise<Place> {
  const key = await apiKeyOf(c);
  if (key !== undefined) return { region: homeRegion(stackOf(c.env).regions), id: `key-${key.id}` };
  const user = await userBucket(c);
  return user === undefined ? bucketOfAddress(c) : { region: regionOfCaller(c), id: user };
}

/** The bucket of the network address, whatever the caller shows. */
export function bucketOfAddress(c: Context<App>): Place {
  return { region: regionOfCaller(c), id: `ip-${addressOf(c).replaceAll(":", "-")}` };
}

async function userBucket(c: Context<App>): Promise<string | undefined> {
  const token = tokenOf(c);
  if (token === undefined) return undefined;
  const now = Date.now();
  const remembered = known.get(token, now);
  if (remembered !== undefined) return remembered ?? undefined;
  if (!mayGuess(c)) return undefined;
  // Who cannot be asked now counts as nobody; the route asks again, and says so.
  const caller = await callerOrRefusal(c).catch(() => undefined);
  if (!caller || caller instanceof Refusal) return undefined;
  wasNoGuess(c);
  const id = caller.kind === "user" ? `user-${await sha256(caller.id)}` : null;
  known.set(token, id, now + REMEMBERED_MS);
  return id ?? undefined;
}

function tokenOf(c: Context<App>): string | undefined {
  try {
    return bearerToken(c) ?? c.get("sessions")?.cookieOf(c);
  } catch (error) {
    // A cookie that a foreign page sent along.
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}
