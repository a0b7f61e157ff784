/** How the Worker tells a room who joins. It has made sure of it; nothing of it is in a URL, which the platform logs. */
import type { Caller } from "../who.ts";
import type { Subprotocol } from "./protocol.ts";

/** Who joins, and the last number that they have. */
export interface Joining {
  userId: string;
  token?: string;
  /** The session that they are here by. */
  session?: string;
  /** The network address that they come from, as a key (worker/http/address.ts). */
  address?: string;
  /** Whether it is somebody known, in whose room things stay. */
  known?: true;
  /** When the token that they showed expires (ms since the epoch), where it tells so itself. */
  until?: number;
  /** Only into a room that is there. */
  ifThere?: true;
  /** Who it is, where the room has to say whether they may. */
  undecided?: Caller;
  after?: number;
  /** The one of ours that the client offered, and waits for. */
  subprotocol?: Subprotocol;
}

const HEADER = "X-Joining";

/** The status by which a room says that it is not there, and was not to be made. */
export const NOT_THERE = 404;

/** The request by which the Worker lets somebody into a room. */
export function joinRequest(joining: Joining): Request {
  return new Request("https://room/", {
    headers: { Upgrade: "websocket", [HEADER]: encodeURIComponent(JSON.stringify(joining)) },
  });
}

export function readJoinRequest(request: Request): Joining {
  return JSON.parse(decodeURIComponent(request.headers.get(HEADER) ?? ""));
}
