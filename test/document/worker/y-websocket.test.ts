/** The client of y-websocket, as it comes from npm: it connects as it is, and comes back after every cut. */
import { evictDurableObject } from "cloudflare:test";
import { expect, it, onTestFinished } from "vitest";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { ADMIN, call, fetchApp } from "../../worker/helpers.ts";
import { newDocument, objectOf, textOf } from "./support.ts";

/** A WebSocket of a browser, by way of the Worker's own fetch. */
class ClientSocket extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  readonly OPEN = 1;
  binaryType = "arraybuffer";
  readyState = ClientSocket.CONNECTING;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  #socket: WebSocket | undefined;
  #isClosed = false;

  constructor(url: string) {
    super();
    void this.#connect(new URL(url).pathname);
  }

  send(data: Uint8Array): void {
    this.#socket?.send(data);
  }

  close(): void {
    this.#isClosed = true;
    if (this.readyState === ClientSocket.OPEN) this.#socket?.close(1_000);
    this.readyState = ClientSocket.CLOSED;
  }

  async #connect(path: string): Promise<void> {
    const { webSocket: socket } = await fetchApp(path, { headers: { Upgrade: "websocket" } });
    if (!socket) {
      this.readyState = ClientSocket.CLOSED;
      this.onerror?.({});
      this.onclose?.({ code: 1_006, reason: "" });
      return;
    }
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => this.onmessage?.({ data }));
    socket.addEventListener("close", ({ code, reason }) => {
      this.readyState = ClientSocket.CLOSED;
      this.onclose?.({ code, reason });
    });
    socket.accept();
    if (this.#isClosed) return socket.close(1_000);
    this.readyState = ClientSocket.OPEN;
    this.onopen?.();
  }
}

function provide(id: string, doc = new Y.Doc()): { doc: Y.Doc; provider: WebsocketProvider; text: Y.Text } {
  const options = { disableBc: true, maxBackoffTime: 50 };
  // No WebSocket by its type, but all that the provider uses of one.
  Reflect.set(options, "WebSocketPolyfill", ClientSocket);
  const provider = new WebsocketProvider("wss://stack.test/document", id, doc, options);
  onTestFinished(() => provider.destroy());
  return { doc, provider, text: doc.getText("text") };
}

/** Resolves once all texts are this one. */
async function all(peers: readonly { text: Y.Text }[], isRight: (text: string) => boolean): Promise<void> {
  await expect
    .poll(() => peers.every(({ text }) => isRight(text.toString())), { timeout: 10_000, interval: 5 })
    .toBe(true);
}

it("syncs two clients, and shows each the other", async () => {
  const id = newDocument();
  const [ann, ben] = [provide(id), provide(id)];
  ann.text.insert(0, "hello");
  await all([ann, ben], (text) => text === "hello");
  await expect.poll(() => [ann.provider.synced, ben.provider.synced]).toEqual([true, true]);
  ann.provider.awareness.setLocalStateField("user", { name: "Ann" });
  await expect.poll(() => ben.provider.awareness.getStates().get(ann.doc.clientID)).toEqual({ user: { name: "Ann" } });
});

it("loses nothing of what three clients write while connections are cut and the object sleeps", async () => {
  const id = newDocument();
  const peers = [provide(id), provide(id), provide(id)];
  let written = 0;
  for (let round = 0; round < 30; round++) {
    for (const { text } of peers) text.insert(text.length, `${written++} `);
    const peer = peers[round % 3];
    if (round % 4 === 0) peer?.provider.disconnect();
    if (round % 4 === 2) peer?.provider.connect();
    if (round % 10 === 5)
      await evictDurableObject(objectOf(id), { webSockets: round % 20 === 5 ? "close" : "hibernate" });
    await scheduler.wait(2);
  }
  for (const { provider } of peers) provider.connect();
  const numbers = Array.from({ length: written }, (_, i) => String(i));
  await all(peers, (text) => text.split(" ").length === written + 1);
  const texts = new Set(peers.map(({ text }) => text.toString()));
  expect(texts.size).toBe(1);
  expect([...texts][0]?.trim().split(" ").sort()).toEqual(numbers.sort());
  expect(await textOf(id)).toBe([...texts][0]);
});

it("stops once the document was deleted, and does not bring it back", async () => {
  const id = newDocument();
  const { provider, text } = provide(id);
  text.insert(0, "secret");
  await expect.poll(() => textOf(id)).toBe("secret");
  const closed = new Promise<{ code: number; reason: string }>((resolve) => provider.on("closed", resolve));
  await call(`/document/${id}`, { method: "DELETE", headers: ADMIN });
  expect(await closed).toEqual({ code: 4410, reason: "The document was deleted" });
  expect(provider.shouldConnect).toBe(false);
  // A browser cannot see why a WebSocket was refused, so it asks over HTTP.
  for (const path of ["", "/versions"]) {
    const { status, body } = await call(`/document/${id}${path}`);
    expect({ status, body }).toMatchObject({ status: 404, body: { detail: "The document was deleted" } });
  }
});
