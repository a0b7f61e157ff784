/** The article's way: the history is one array, read and written for every message. */
import { DurableObject } from "cloudflare:workers";

const HISTORY = 100;

export class NaiveChatRoom extends DurableObject<Env> {
  override async fetch(request: Request): Promise<Response> {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    server.serializeAttachment({ userId: new URL(request.url).searchParams.get("userId") });
    const history = (await this.ctx.storage.get<object[]>("history")) ?? [];
    if (history.length > 0) server.send(JSON.stringify({ type: "history", messages: history }));
    return new Response(null, { status: 101, webSocket: client });
  }

  override async webSocketMessage(socket: WebSocket, data: string): Promise<void> {
    const { text } = JSON.parse(data);
    const { userId } = socket.deserializeAttachment();
    const message = { id: crypto.randomUUID(), userId, text, timestamp: Date.now() };
    const history = (await this.ctx.storage.get<object[]>("history")) ?? [];
    await this.ctx.storage.put("history", [...history, message].slice(-HISTORY));
    const payload = JSON.stringify({ type: "message", message });
    for (const other of this.ctx.getWebSockets()) {
      try {
        other.send(payload);
      } catch {
        // It has closed.
      }
    }
  }
}
