/** The client of the smoke test beside a server that accepts connections and answers nothing. */
import { once } from "node:events";
import { createServer } from "node:net";
import { expect, it } from "vitest";
import { Client } from "../../infra/smoke/client.ts";

it("gives a WebSocket that does not open in time up, so that nothing keeps the process alive", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const ended = once(server, "connection").then(async ([socket]) => {
    // Only what is read is seen to end.
    socket.resume().on("error", () => {});
    await once(socket, "close");
  });
  const client = new Client(new URL(`http://127.0.0.1:${address.port}/`), {}, 200);
  await expect(client.connect("/live")).rejects.toThrow(/timeout/);
  await ended;
  server.close();
});
