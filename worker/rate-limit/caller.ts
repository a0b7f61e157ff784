/**
 * Who a request counts against: the holder of a verified API key, else the network address. A key that is not known
 * buys nothing: the request counts against its address like any other.
 */
import type { Context } from "hono";
import { addressOf, apiKeyOf } from "../http/api-key.ts";
import type { App } from "../http/context.ts";
import { homeRegion, type Place, regionOfCaller } from "../objects/names.ts";
import { stackOf } from "../stack.ts";

/** Where the caller's bucket lives: with the address's part of the world, or at home for a key used from anywhere. */
export async function bucketOf(c: Context<App>): Promise<Place> {
  const key = await apiKeyOf(c);
  if (key !== undefined) return { region: homeRegion(stackOf(c.env).regions), id: `key-${key.id}` };
  return { region: regionOfCaller(c), id: `ip-${addressOf(c).replaceAll(":", "-")}` };
}
