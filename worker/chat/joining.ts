/** What the Worker tells a room of who joins, and how a room sends them on to a relay. */
import { type Joiner, readJoining, requestToJoin } from "../http/joining.ts";
import type { Caller } from "../who.ts";
import type { Subprotocol } from "./protocol.ts";

/** Who joins, and the last message that they have. */
export interface Joining extends Joiner<Subprotocol> {
  userId: string;
  token?: string;
  /** The caller, if the room has to decide whether they may join. */
  undecided?: Caller;
  /** The number of the last message that the caller has, and its id, by which a room that was begun anew is known. */
  after?: number;
  afterId?: string;
  /** For a relay: the newest order when the room let the caller in. */
  granted?: number;
}

/** A room's status for "I am full, and this relay is not". */
export const AT_RELAY = 307;
const RELAY = "X-Relay";
const GRANTED = "X-Granted";

/** The answer that sends a caller to a relay. `granted`: the newest order. */
export const sendToRelay = (relay: number, granted: number): Response =>
  new Response(null, { status: AT_RELAY, headers: { [RELAY]: String(relay), [GRANTED]: String(granted) } });

export const readRelay = ({ headers }: Response): { relay: number; granted: number } => ({
  relay: Number(headers.get(RELAY)),
  granted: Number(headers.get(GRANTED)),
});

/** The request to a room's object that lets a caller in. */
export const joinRequest = (joining: Joining): Request => requestToJoin("https://room/", joining);

/** What such a request says. */
export const readJoinRequest = (request: Request): Joining => readJoining(request);
