/** The body of a request, which is sent again if workerd was replaced before anybody read it. */
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { expect, it } from "vitest";
import { Body } from "../src/body.ts";

/** More than a stream holds that nobody reads. */
const CHUNKS = 12;
const chunk = Buffer.alloc(65_536, "a");

it.each([
  { what: "nobody reads any more", end: () => {} },
  { what: "was closed", end: (stream: { destroy(): unknown }) => void stream.destroy() },
])("is whole in a second stream after one that $what", async ({ end }) => {
  const incoming = new IncomingMessage(new Socket());
  const body = new Body(incoming);
  const first = body.stream();
  incoming.push(chunk);
  await new Promise((resolve) => first.once("readable", resolve));
  end(first);
  const read = buffer(body.stream());
  for (let sent = 1; sent < CHUNKS; sent++) incoming.push(chunk);
  incoming.push(null);
  expect((await read).length).toBe(CHUNKS * chunk.length);
});
