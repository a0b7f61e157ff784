/** A session's token has the form that worker/http/caller.ts refuses as a WebSocket's subprotocol. */
import { env } from "cloudflare:workers";
import { Hono } from "hono";
import { expect, it } from "vitest";
import { callerOf } from "../../../worker/http/caller.ts";
import type { App } from "../../../worker/http/context.ts";
import { Refusal } from "../../../worker/http/problem.ts";
import { mintToken } from "../../../worker/session/token.ts";
import { stackOf } from "../../../worker/stack.ts";

it("is refused as a subprotocol in every region", async () => {
  const who = new Hono<App>()
    .get("/", async (c) => c.json(await callerOf(c)))
    .onError((error, c) => c.text(error instanceof Refusal ? error.problem.kind : String(error)));
  for (const region of stackOf(env).regions.regions) {
    const { token } = await mintToken(region);
    const answer = await who.request("/", { headers: { "Sec-WebSocket-Protocol": `chat, ${token}` } }, env);
    expect(await answer.text()).toBe("unauthorized");
  }
});
