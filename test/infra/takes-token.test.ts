/** What the tests that deploy take for a token's answer: of a route that answers something else, none. */
import { createServer } from "node:http";
import { expect, it, onTestFinished } from "vitest";
import { listening } from "../../packages/local-account/test/listening.ts";
import { access } from "../../worker/access.ts";
import { expectAdmin } from "../admin-token.ts";

const TOKEN = "the-token-of-this-stack";

/**
 * A Worker with one route of the admin, which answers so to whoever has the token, or has none. `busy`: its rate limiter
 * refuses so many calls before.
 */
async function worker(withToken: number, without = 401, busy = 0) {
  let refused = 0;
  const server = createServer(({ url, headers }, response) => {
    const get = { "x-access": { rule: "admin" } };
    if (url === "/openapi.json") {
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify({ paths: { "/thing/{id}": { get } } }));
    } else if (refused++ < busy) response.writeHead(429, { "Retry-After": "1" }).end();
    else response.writeHead(headers.authorization === `Bearer ${TOKEN}` ? withToken : without).end();
  });
  const port = await listening(server);
  onTestFinished(() => void server.close());
  return { port, adminToken: TOKEN };
}

// A project whose patterns leave nothing to the admin has no admin.
const forAdmin = it.runIf([...access.values()].some(({ may }) => may === "admin"));

forAdmin("a token is the admin's where it is let in and nobody else is, and not where it is refused", async () => {
  await expectAdmin(await worker(200), true);
  await expectAdmin(await worker(401), false);
  await expect(expectAdmin(await worker(200), false)).rejects.toThrow();
  await expect(expectAdmin(await worker(401), true)).rejects.toThrow();
});

forAdmin.each([
  [404, 401],
  [429, 401],
  [500, 401],
  [200, 200],
])("an answer of %d, and of %d without the token, says nothing of it", async (withToken, without) => {
  const where = await worker(withToken, without);
  for (const isTaken of [true, false]) await expect(expectAdmin(where, isTaken)).rejects.toThrow(/no route says/);
});

forAdmin("a call that the rate limiter refuses comes back when that says", async () => {
  await expectAdmin(await worker(200, 401, 2), true);
  await expectAdmin(await worker(401, 401, 2), false);
});
