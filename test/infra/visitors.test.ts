/** The caller of a rehearsal, who asks while a release goes out. */
import { createServer } from "node:http";
import { expect, it } from "vitest";
import { ask } from "../../infra/rehearsal/visitors.ts";
import { Client } from "../../infra/smoke/client.ts";
import { listening } from "../../packages/local-account/test/listening.ts";

it("ends with the deployment's own error where that is refused, and leaves no rejection that nobody handles", async () => {
  const { promise, reject } = Promise.withResolvers<void>();
  // Refused between two questions: nobody waits for the deployment then.
  const server = createServer((_, response) => {
    response.end("{}", () => setImmediate(() => reject(new Error("refused"))));
  });
  const client = new Client(new URL(`http://127.0.0.1:${await listening(server)}/`));
  await expect(ask(client, "a", promise)).rejects.toThrow("refused");
  server.close();
});
