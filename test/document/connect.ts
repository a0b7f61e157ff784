/** Connects a client of a document over a WebSocket, in Node. */
import type { Client } from "../../infra/smoke/client.ts";
import { Peer } from "./client.ts";

const TIMEOUT_MS = 15_000;

/** A client that has the document. */
export async function connect(client: Client, path: string, token?: string, peer = new Peer()): Promise<Peer> {
  const socket = client.open(path, { token });
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", ({ data }) => peer.receive(data));
  await inTime(
    `${path} to open`,
    new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("error", () => reject(new Error(`${path} does not open a WebSocket`)));
    }),
  ).catch((error: unknown) => {
    // One that is left to connect keeps the process alive for minutes.
    socket.close();
    throw error;
  });
  peer.use({ send: (data) => socket.send(new Uint8Array(data)), close: () => socket.close(1_000) });
  await inTime(`${path} to answer`, peer.synced());
  return peer;
}

/** Waits for something, but not for ever. */
export async function inTime(what: string, work: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`waited ${TIMEOUT_MS / 1_000} s for ${what}`)), TIMEOUT_MS);
  await Promise.race([work, promise]).finally(() => clearTimeout(timer));
}
