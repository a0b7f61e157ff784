/** The smoke test's client of a document, beside servers that do not open a WebSocket. */
import { createServer } from "node:http";
import { expect, it, onTestFinished } from "vitest";
import { Client } from "../../../infra/smoke/client.ts";
import { blindness } from "../../../infra/smoke/reason.ts";
import { listening } from "../../../packages/local-account/test/listening.ts";
import { connect } from "../connect.ts";

it("that reaches nothing says nothing of the Worker", async () => {
  const client = new Client(new URL("http://127.0.0.1:9/"));
  const error: unknown = await connect(client, "/document/one").catch((thrown: unknown) => thrown);
  expect(blindness(error, undefined)).toBe("not reached");
});

it("that is answered, and opens at no try, is the Worker's fault", async () => {
  let tries = 0;
  const server = createServer((_, response) => response.writeHead(426).end());
  server.on("upgrade", (_, socket) => {
    tries++;
    socket.destroy();
  });
  const port = await listening(server);
  onTestFinished(() => void server.close());
  const error: unknown = await connect(new Client(new URL(`http://127.0.0.1:${port}/`)), "/document/one").catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ message: "/document/one does not open a WebSocket" });
  expect([blindness(error, undefined), tries]).toEqual([undefined, 3]);
});
