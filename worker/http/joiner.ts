/** How the Worker lets a caller join an object by a WebSocket. */
import type { Context } from "hono";
import type { Caller } from "../who.ts";
import { addressOf } from "./address.ts";
import { chargeForNew, isKnown } from "./charge.ts";
import type { App } from "./context.ts";
import { isNotThere, type Joiner } from "./joining.ts";
import { offeredProtocols } from "./upgrade.ts";

/** What every object is told of a caller who joins. `ours`: the subprotocols that it speaks, the best first. */
export async function joinerOf<Ours extends string>(
  c: Context<App>,
  { session, until }: Caller,
  ours: readonly Ours[],
): Promise<Joiner<Ours> & { address: string }> {
  const offered = offeredProtocols(c);
  const subprotocol = ours.find((each) => offered.includes(each));
  return {
    address: addressOf(c),
    ...((await isKnown(c)) && { known: true }),
    ...(until !== undefined && { until }),
    ...(session !== undefined && { session }),
    ...(subprotocol && { subprotocol }),
  };
}

/** Joins an object that exists; if it does not, charges for a new one first. */
export async function joinOrBegin<Joining extends { readonly ifThere?: true }>(
  c: Context<App>,
  joining: Joining,
  join: (joining: Joining) => Promise<Response>,
): Promise<Response> {
  const answer = await join({ ...joining, ifThere: true });
  if (!isNotThere(answer)) return answer;
  await chargeForNew(c);
  return join(joining);
}
