/** The WebSockets of the smoke test's client, beside servers that do not open one as they should. */
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { WebSocketServer } from "ws";
import { Client } from "../../infra/smoke/client.ts";
import { blindness } from "../../infra/smoke/reason.ts";
import { listening } from "../../packages/local-account/test/listening.ts";

it("gives a WebSocket that does not open in time up, so that nothing keeps the process alive", async () => {
  const server = createServer();
  const port = await listening(server);
  const ended = once(server, "connection").then(async ([socket]) => {
    // Only what is read is seen to end.
    socket.resume().on("error", () => {});
    await once(socket, "close");
  });
  const client = new Client(new URL(`http://127.0.0.1:${port}/`), {}, 200);
  await expect(client.connect("/live")).rejects.toThrow(/timeout/);
  await ended;
  server.close();
});

/** A server that opens WebSockets but for the first `lost` tries, and tells plain requests 426. */
async function opening(lost: number, timeoutMs?: number) {
  const sockets = new WebSocketServer({ noServer: true });
  let tries = 0;
  const server = createHttpServer((_, response) => response.writeHead(426).end());
  server.on("upgrade", (request, socket, head) => {
    if (tries++ < lost) socket.destroy();
    else sockets.handleUpgrade(request, socket, head, (open) => open.send("{}"));
  });
  const port = await listening(server);
  onTestFinished(() => {
    for (const open of sockets.clients) open.terminate();
    server.close();
  });
  return { client: new Client(new URL(`http://127.0.0.1:${port}/`), {}, timeoutMs), tries: () => tries };
}

it("opens a WebSocket at the third try, where others met the moment of a deployment, and at none after", async () => {
  const third = await opening(2);
  const socket = await third.client.connect("/live");
  expect(await socket.next("a frame", () => true)).toEqual({});
  socket.close();
  const never = await opening(3);
  await expect(never.client.connect("/live")).rejects.toThrow("/live does not open a WebSocket");
  expect([third.tries(), never.tries()]).toEqual([3, 3]);
});

it("a frame that does not come in time says nothing of the Worker: the connection may be lost", async () => {
  const { client } = await opening(0, 200);
  const socket = await client.connect("/live");
  const error: unknown = await socket.next("an ack", (frame) => frame === "ack").catch((thrown: unknown) => thrown);
  socket.close();
  expect(error).toMatchObject({ message: "waited 0.2 s for an ack" });
  expect(blindness(error, undefined)).toBe("not reached");
});
