/** Who a request is from, where no pattern has a say. */
import { env } from "cloudflare:workers";
import { Hono } from "hono";
import { expect, it } from "vitest";
import { callerOf } from "../../worker/http/caller.ts";
import type { App } from "../../worker/http/context.ts";
import { problemResponse, Refusal } from "../../worker/http/problem.ts";

const who = new Hono<App>()
  .get("/", async (c) => c.json(await callerOf(c)))
  .onError((error) => {
    if (error instanceof Refusal) return problemResponse(error.problem);
    throw error;
  });

const offering = (...protocols: string[]) =>
  who.request("https://stack.test/", { headers: { "Sec-WebSocket-Protocol": protocols.join(", ") } }, env);

it("is refused who offers a session's token as a subprotocol, and is not taken for nobody", async () => {
  const refused = await offering("chat", `eu~${"A".repeat(43)}`);
  expect(refused.status).toBe(401);
  expect(refused.headers.get("WWW-Authenticate")).toBe('Bearer realm="session"');
  expect(await refused.json()).toMatchObject({ detail: expect.stringContaining("as a bearer token") });
});

it("is nobody who offers other subprotocols", async () => {
  expect(await (await offering("chat", "eu~short", `v1.${"A".repeat(43)}`)).json()).toMatchObject({
    kind: "anonymous",
  });
});
