/**
 * How the Worker tells an object who joins it by a WebSocket, after checking it. It is not in the URL, which the
 * platform logs, and its header's name has "token" in it: other headers are logged as they are. What there is to tell
 * is a pattern's own, besides what is told of every joiner. Code that is loaded late imports this, so it imports
 * nothing; how the Worker asks is in joiner.ts.
 */
export const HEADER = "X-Joining-Token";

/** An object's answer for "I do not exist, and you asked me not to begin". */
export const notThere = (): Response => new Response(null, { status: 404 });

/** Whether this is that answer. A refusal with the same status has a body. */
export const isNotThere = ({ status, headers }: Response): boolean => status === 404 && !headers.has("Content-Type");

/** What every object is told of who joins it. */
export interface Joiner<Subprotocol extends string = string> {
  /** The caller's network address, as a key (address.ts). */
  readonly address?: string;
  /** The session that the caller showed. */
  readonly session?: string;
  /** When the caller's token expires (ms since the epoch), if the token says so. */
  readonly until?: number;
  /** The caller is known (no guest, not anonymous): then what they make is kept. */
  readonly known?: true;
  /** Only if the object exists. */
  readonly ifThere?: true;
  /** Our subprotocol, which the client offered and expects in the answer. */
  readonly subprotocol?: Subprotocol;
}

/** The request to an object that lets a caller in. */
export function requestToJoin(url: string, joining: object): Request {
  return new Request(url, { headers: { Upgrade: "websocket", [HEADER]: encodeURIComponent(JSON.stringify(joining)) } });
}

/** What `requestToJoin` was given. */
export function readJoining<Joining>({ headers }: Request): Joining {
  return JSON.parse(decodeURIComponent(headers.get(HEADER) ?? ""));
}
