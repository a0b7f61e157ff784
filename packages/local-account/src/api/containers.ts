/** `/accounts/:account/containers`: there are none, and wrangler asks before it deletes a Worker. */
import { Hono } from "hono";
import { ok } from "./envelope.ts";

export const containers = () => new Hono().get("/applications", (c) => ok(c, []));
