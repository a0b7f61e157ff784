/** Helpers of the documents' tests: clients whose frames and ends can be awaited. */
import { env } from "cloudflare:workers";
import { onTestFinished } from "vitest";
import { fetchApp } from "../../worker/helpers.ts";
import { Peer } from "../client.ts";

/** A document that no other test uses. */
export const newDocument = () => crypto.randomUUID();

/** The document's object. */
export const objectOf = (id: string) => env.DOCUMENT.getByName(`dev-eu:document:${id}`);

type Headers = Record<string, string>;

/** Tries to open a WebSocket, and returns the answer. */
export const knock = (id: string, headers: Headers = {}): Promise<Response> =>
  fetchApp(`/document/${encodeURIComponent(id)}`, { headers: { Upgrade: "websocket", ...headers } });

/** The client's end of a WebSocket. */
export async function open(id: string, headers: Headers = {}): Promise<WebSocket> {
  const response = await knock(id, headers);
  if (!response.webSocket) throw new Error(`${response.status}: ${await response.text()}`);
  response.webSocket.binaryType = "arraybuffer";
  return response.webSocket;
}

/** A client that is connected. `peer`: one that was cut off. */
export async function join(id: string, { peer = newPeer(), headers = {} }: { peer?: Peer; headers?: Headers } = {}) {
  const socket = await open(id, headers);
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason }));
  });
  socket.addEventListener("message", ({ data }) => peer.receive(data));
  socket.accept();
  peer.use({ send: (data) => socket.send(data), close: (code, reason) => socket.close(code, reason) });
  return Object.assign(peer, { closed, socket });
}

function newPeer(): Peer {
  const peer = new Peer();
  onTestFinished(() => peer.destroy());
  return peer;
}

/** Sends an update over HTTP. */
export async function post(id: string, update: Uint8Array<ArrayBuffer>, headers: Headers = {}): Promise<Response> {
  return fetchApp(`/document/${id}`, {
    method: "POST",
    headers: { "Content-Type": "application/octet-stream", ...headers },
    body: update,
  });
}

/** The document's text over HTTP. */
export const textOf = async (id: string): Promise<string> =>
  (await fetchApp(`/document/${id}`, { headers: { Accept: "text/plain" } })).text();
