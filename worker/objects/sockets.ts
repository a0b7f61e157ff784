/**
 * Helpers for hibernating WebSockets. A socket may close at any moment, even between listing and using it. Nothing here
 * throws for that: the runtime reports the close, and the other sockets must get their frames.
 */

/** Close codes (RFC 6455, 7.4.1, and IANA's registry): of what is no more, "policy violation", "try again later". */
export const GOING_AWAY = 1_001;
export const POLICY = 1_008;
export const TRY_AGAIN = 1_013;
/** Close code of a connection that broke. It is only reported, never sent. */
export const ABNORMAL = 1_006;
/** Close codes that must not be sent, because they only report how a connection ended (RFC 6455, 7.4.1). */
const RESERVED_CLOSE_CODES = [1004, 1005, ABNORMAL, 1015];

/** Sockets in all, those included that wait for their client to answer the close: this many times a limit. */
const CLOSING_FACTOR = 2;

/**
 * Accepts a WebSocket with its tags and attachment. Returns the client's end and ours. @throws what the runtime says, of
 * too many tags, or an attachment of more than 16,384 bytes; then there is no socket
 */
export function acceptSocket(
  ctx: DurableObjectState,
  { tags = [], attachment }: { tags?: string[]; attachment?: unknown } = {},
): { client: WebSocket; server: WebSocket } {
  const { 0: client, 1: server } = new WebSocketPair();
  if (attachment !== undefined) server.serializeAttachment(attachment);
  ctx.acceptWebSocket(server, tags);
  return { client, server };
}

/** The answer to an upgrade, with the client's end. */
export const switchTo = (client: WebSocket, headers: Record<string, string> = {}): Response =>
  new Response(null, { status: 101, webSocket: client, headers });

/**
 * The same without compression, and with one of the subprotocols that the client offered. A compressing socket takes a
 * quarter of a mebibyte, and each frame is compressed for each socket. The runtime does not pass that header on.
 */
export const switchPlainly = (client: WebSocket, subprotocol: string | undefined): Response =>
  switchTo(client, {
    "Sec-WebSocket-Extensions": "none",
    ...(subprotocol !== undefined && { "Sec-WebSocket-Protocol": subprotocol }),
  });

/** Lets the runtime answer a text by another without waking the object. */
export function answerAsleep(ctx: DurableObjectState, text: string, answer: string): void {
  ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(text, answer));
}

/** The open sockets, all or those with a tag. The runtime lists closing sockets too. */
export const openSockets = (ctx: DurableObjectState, tag?: string): WebSocket[] =>
  ctx.getWebSockets(tag).filter(isOpen);

export const isOpen = ({ readyState }: WebSocket): boolean => readyState === WebSocket.OPEN;

/** Whether as many sockets have a tag as `limit` allows. */
export function hasAll(ctx: DurableObjectState, tag: string, limit: number): boolean {
  const listed = ctx.getWebSockets(tag);
  return listed.length >= limit * CLOSING_FACTOR || listed.filter(isOpen).length >= limit;
}

/** Sends texts to one socket. False if it is closed. */
export function sendTo(socket: WebSocket, ...texts: readonly string[]): boolean {
  try {
    // Once for all of them: it cannot close between two.
    if (!isOpen(socket)) return false;
    for (const text of texts) socket.send(text);
    return true;
  } catch {
    // It has closed; its close event reports that.
    return false;
  }
}

/** Closes a socket from our side. Idempotent. */
export function closeSocket(socket: WebSocket, code: number, reason: string): void {
  attempt(() => socket.close(code, reason));
}

/** Answers a peer's close with its own code, for `webSocketClose`: without it the peer may read 1006. Idempotent. */
export function answerClose(socket: WebSocket, code: number, reason = ""): void {
  const sendable = code >= 1_000 && code < 5_000 && !RESERVED_CLOSE_CODES.includes(code);
  attempt(() => (sendable ? socket.close(code, reason) : socket.close()));
}

function attempt(action: () => void): void {
  try {
    action();
  } catch {
    // The socket is closed; its close event reports that.
  }
}
