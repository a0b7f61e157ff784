/** What the sockets of any object have in common, in a real object that knows none of them. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it, onTestFinished } from "vitest";
import { HEADER } from "../../worker/http/joining.ts";
import { acceptSocket, openSockets, switchTo } from "../../worker/objects/sockets.ts";
import { patterns } from "../../worker/patterns.ts";
import { Socket, unique } from "./helpers.ts";

const [{ binding }] = patterns;
const anObject = () => env[binding].getByName(unique());

/** Opens a socket with an attachment. */
async function open(object: ReturnType<typeof anObject>, attachment: unknown): Promise<void> {
  await runInDurableObject(object, (instance, ctx) => {
    instance.fetch = async () => switchTo(acceptSocket(ctx, { attachment }).client);
  });
  const { webSocket } = await object.fetch("https://object/", { headers: { Upgrade: "websocket" } });
  if (!webSocket) throw new Error("The upgrade has no socket");
  const socket = new Socket(webSocket);
  onTestFinished(() => socket.close());
}

const attachments = (object: ReturnType<typeof anObject>) =>
  runInDurableObject(object, (_, ctx) => openSockets(ctx).map((socket) => socket.deserializeAttachment()));

it("an attachment is still there after the object has slept", async () => {
  const object = anObject();
  await open(object, { name: "ann" });
  await evictDurableObject(object, { webSockets: "hibernate" });
  expect(await attachments(object)).toEqual([{ name: "ann" }]);
});

it("one that is too large is an error that says so, and leaves no socket", async () => {
  const object = anObject();
  await expect(open(object, "x".repeat(17_000))).rejects.toThrow("cannot be larger than 16384 bytes");
  expect(await attachments(object)).toEqual([]);
});

it("one that is written to a socket that closes, or has closed, is no error", () =>
  runInDurableObject(anObject(), async (_, ctx) => {
    const { client, server } = acceptSocket(ctx);
    client.accept();
    for (const { side, state } of [
      { side: server, state: WebSocket.CLOSING },
      { side: client, state: WebSocket.CLOSED },
    ]) {
      side.close(1000, "done");
      await expect.poll(() => server.readyState).toBe(state);
      server.serializeAttachment({ at: state });
    }
  }));

it("what an object is told of who joins is in a header that Cloudflare does not log", () => {
  // What workerd hides in the events of tails (its api/trace.c++).
  expect(HEADER).toMatch(/auth|jwt|key|secret|token/i);
});
