/** Connects a client of a document over a WebSocket, in Node. */
import { type Client, within } from "../../infra/smoke/client.ts";
import { Peer } from "./client.ts";

/** A client that has the document. */
export async function connect(client: Client, path: string, token?: string, peer = new Peer()): Promise<Peer> {
  const socket = client.open(path, { token });
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", ({ data }) => peer.receive(data));
  await within(
    new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("error", () => reject(new Error(`${path} does not open a WebSocket`)));
    }),
    `${path} to open`,
  ).catch(async (error: unknown) => {
    // One that is left to connect keeps the process alive for minutes.
    socket.close();
    // A WebSocket does not tell whether anything answered; a plain request does.
    await client.call(path, { token });
    throw error;
  });
  peer.use({ send: (data) => socket.send(new Uint8Array(data)), close: () => socket.close(1_000) });
  await within(peer.synced(), `${path} to answer`);
  return peer;
}
