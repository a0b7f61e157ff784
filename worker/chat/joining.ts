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
  /** Who it is, where the room has to say whether they may. */
  undecided?: Caller;
  after?: number;
  /** The one of ours that the client offered, and waits for. */
  subprotocol?: Subprotocol;
}

const HEADER = "X-Joining";

/** The request by which the Worker lets somebody into a room. */
export function joinRequest(joining: Joining): Request {
  return new Request("https://room/", {
    headers: { Upgrade: "websocket", [HEADER]: encodeURIComponent(JSON.stringify(joining)) },
  });
}

export function readJoinRequest(request: Request): Joining {
  return JSON.parse(decodeURIComponent(request.headers.get(HEADER) ?? ""));
}
