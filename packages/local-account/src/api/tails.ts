/** `/accounts/:account/workers/scripts/:script/tails`: live logs. */
import { type Context, Hono } from "hono";
import { ApiError } from "../errors.ts";
import { parseFilters } from "../tail-filters.ts";
import { json, param } from "./body.ts";
import type { Api } from "./context.ts";
import { ok } from "./envelope.ts";
import { scriptAt } from "./lookups.ts";

/** Path of a tail's WebSocket on the API's port. Its id is the secret that opens it. */
export const TAIL_PATH = "/tails/";

export const tails = ({ account }: Api) => {
  const { tails } = account;
  const urlOf = (c: Context, id: string) => `ws://${c.req.header("host")}${TAIL_PATH}${id}`;
  return (
    new Hono()
      // The newest.
      .get("/", (c) => {
        const tail = tails.of(scriptAt(account.state, param(c, "script")).name).at(-1);
        return ok(c, tail === undefined ? null : { ...shown(tail), url: urlOf(c, tail.id) });
      })
      .post("/", async (c) => {
        const { name } = scriptAt(account.state, param(c, "script"));
        const filters = parseFilters(await json(c));
        await account.tail(name);
        const tail = tails.open(name, filters);
        return ok(c, { ...shown(tail), url: urlOf(c, tail.id) });
      })
      .delete("/:tail", (c) => {
        if (!tails.close(param(c, "tail"))) throw new ApiError(404, 10057, `There is no tail '${param(c, "tail")}'.`);
        return ok(c, null);
      })
  );
};

const shown = ({ id, expiresAt }: { readonly id: string; readonly expiresAt: Date }) => ({
  id,
  expires_at: expiresAt.toISOString(),
});
