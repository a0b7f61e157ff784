/** The account's servers on this machine: how they are made, listen and stop. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import type { Account } from "./account.ts";
import { isForS3, s3 } from "./api/s3.ts";
import { TAIL_PATH } from "./api/tails.ts";
import { CannotStart } from "./errors.ts";
import { asksForWebSocket } from "./hops.ts";

/** Thrown if a port is taken. Names the port and the option that changes it. */
export class PortInUse extends CannotStart {}

/** The REST API, the S3 API and the page on one port. */
export function restServer(rest: Hono, page: Hono, account: Account): Server {
  const { tails } = account;
  const buckets = s3(account);
  const others = getRequestListener((request, env) =>
    new URL(request.url).pathname.startsWith("/client/") ? rest.fetch(request, env) : page.fetch(request, env),
  );
  const server = createServer({ shouldUpgradeCallback: asksForWebSocket }, (incoming, outgoing) => {
    if (isForS3(incoming)) buckets(incoming, outgoing);
    else others(incoming, outgoing).catch(failed(outgoing));
  });
  server.on("upgrade", (incoming: IncomingMessage, socket: Duplex) => {
    // Node has taken its own listener off: without one, a client that resets the connection would end the account.
    socket.on("error", () => socket.destroy());
    const { url = "" } = incoming;
    const id = url.startsWith(TAIL_PATH) ? url.slice(TAIL_PATH.length) : "";
    if (!tails.accept(id, incoming, socket)) socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
  });
  return server;
}

/** Ends what a bug of the account has left open, and tells of it. The account goes on. */
const failed = (open: { destroy(): unknown }) => (error: unknown) => {
  console.error("The account's API failed; this is a bug:", error);
  open.destroy();
};

/** The port on which the server listens then. @throws CannotStart naming the `option` that chooses another. */
export function listen(server: Server, port: number, option: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", ({ code, message }: NodeJS.ErrnoException) => {
      const fix = `Choose another with ${option}, or 0 for any free one.`;
      reject(
        code === "EADDRINUSE"
          ? new PortInUse(`Port ${port} is in use. ${fix}`)
          : new CannotStart(`Port ${port} cannot be used (${code ?? message}). ${fix}`),
      );
    });
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      if (typeof address === "object" && address !== null) resolve(address.port);
      else reject(new Error("the server has no port"));
    });
  });
}

/** Stops a server with all its connections, those included that became WebSockets. */
export function stopOf(server: Server): () => Promise<void> {
  const connections = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of connections) socket.destroy();
    });
}
