/** The smoke test's client, beside servers that refuse a call for now, or do not open a WebSocket as they should. */
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

/** A server that refuses calls with this status so many times; `seconds`: when they may come again. */
async function refusing(status: number, times: number, seconds: number) {
  let calls = 0;
  const server = createHttpServer((_, response) =>
    response.writeHead(calls++ < times ? status : 200, { "Retry-After": `${seconds}` }).end(),
  );
  const port = await listening(server);
  onTestFinished(() => void server.close());
  return { client: new Client(new URL(`http://127.0.0.1:${port}/`)), calls: () => calls };
}

it.each([
  ["the rate limiter, also where somebody else took the tokens that came meanwhile", 429],
  ["an object that cannot answer at the moment, such as the rate limiter's own", 503],
])("a call comes back when it may, after %s", async (_, status) => {
  const { client, calls } = await refusing(status, 2, 1);
  expect(await client.call("/")).toMatchObject({ status: 200 });
  expect(calls()).toBe(3);
});

it("an outage that lasts is an answer soon, and one that says to come back late at once", async () => {
  const lasting = await refusing(503, Number.POSITIVE_INFINITY, 3);
  expect(await lasting.client.call("/")).toMatchObject({ status: 503 });
  const late = await refusing(503, 1, 6);
  expect(await late.client.call("/")).toMatchObject({ status: 503 });
  const never = await refusing(429, 1, 61);
  expect(await never.client.call("/")).toMatchObject({ status: 429 });
  expect([lasting.calls(), late.calls(), never.calls()]).toEqual([2, 1, 1]);
});

it("who wants the rate limiter's refusal itself gets it", async () => {
  const { client } = await refusing(429, 1, 1);
  expect(await client.call("/", { limited: true })).toMatchObject({ status: 429 });
});
