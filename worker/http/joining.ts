/**
 * How the Worker tells an object who joins it by a WebSocket, after checking it. It is not in the URL, which the platform
 * logs, and its header's name has "token" in it: other headers are logged as they are. What there is to tell is a
 * pattern's own. Code that is loaded late imports this, so it imports nothing;
 * how the Worker asks is in charge.ts.
 */
export const HEADER = "X-Joining-Token";

/** An object's status for "I do not exist, and you asked me not to begin". */
export const NOT_THERE = 404;

/** The request to an object that lets a caller in. */
export function requestToJoin(url: string, joining: object): Request {
  return new Request(url, { headers: { Upgrade: "websocket", [HEADER]: encodeURIComponent(JSON.stringify(joining)) } });
}

/** What `requestToJoin` was given. */
export function readJoining<Joining>({ headers }: Request): Joining {
  return JSON.parse(decodeURIComponent(headers.get(HEADER) ?? ""));
}
