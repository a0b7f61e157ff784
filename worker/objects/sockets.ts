/** What every hibernating WebSocket needs, whatever it is for. */

/** Codes that a close may report and must not be sent (RFC 6455, 7.4.1). */
const RESERVED_CLOSE_CODES = [1005, 1006, 1015];

/** Sends to one socket of many: one that is going away must not keep the others from being told. */
export function sendTo(socket: WebSocket, text: string): void {
  try {
    socket.send(text);
  } catch {
    // It closed between listing and sending; its close is announced by the runtime.
  }
}

/** Answers a peer's close, for `webSocketClose`: without it the peer waits, and at last reads 1006. Idempotent. */
export function answerClose(socket: WebSocket, code: number): void {
  try {
    if (RESERVED_CLOSE_CODES.includes(code)) socket.close();
    else socket.close(code);
  } catch {
    // Closed already, by us or by the runtime.
  }
}
