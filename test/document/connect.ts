/** Connects a client of a document over a WebSocket, in Node. */
import { type Client, within } from "../../infra/smoke/client.ts";
import { Peer } from "./client.ts";

/** A client that has the document. */
export async function connect(client: Client, path: string, token?: string, peer = new Peer()): Promise<Peer> {
  const socket = await client.opened(path, { token }, () => opened(client.open(path, { token }), path, peer));
  peer.use({ send: (data) => socket.send(new Uint8Array(data)), close: () => socket.close(1_000) });
  await within(peer.synced(), `${path} to answer`);
  return peer;
}

/** The WebSocket, once it is open. `peer` gets what comes, from the first message on. */
async function opened(socket: WebSocket, path: string, peer: Peer): Promise<WebSocket> {
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", ({ data }) => peer.receive(data));
  const opening = new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", () => reject(new Error(`${path} does not open a WebSocket`)));
  });
  await within(opening, `${path} to open`).catch((error: unknown) => {
    // One that is left to connect keeps the process alive for minutes.
    socket.close();
    throw error;
  });
  return socket;
}
