/** What one writes first: the whole document is stored again with each edit, and told before it is stored. */
import { DurableObject } from "cloudflare:workers";
import { createDecoder, readVarUint, readVarUint8Array } from "lib0/decoding";
import type { Doc } from "yjs";

export class NaiveDocument extends DurableObject<Env> {
  #doc: Doc | undefined;

  override fetch(): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  override async webSocketMessage(sender: WebSocket, data: ArrayBuffer): Promise<void> {
    const Y = await import("yjs");
    if (!this.#doc) {
      const doc = new Y.Doc();
      const stored = await this.ctx.storage.get<Uint8Array>("state");
      if (stored) Y.applyUpdate(doc, stored);
      this.#doc ??= doc;
    }
    const decoder = createDecoder(new Uint8Array(data));
    readVarUint(decoder);
    if (readVarUint(decoder) === 0) return;
    Y.applyUpdate(this.#doc, readVarUint8Array(decoder));
    await this.ctx.storage.put("state", Y.encodeStateAsUpdate(this.#doc));
    for (const socket of this.ctx.getWebSockets()) if (socket !== sender) socket.send(data);
  }
}
