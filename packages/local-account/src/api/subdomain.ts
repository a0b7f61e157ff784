/** The account's subdomain (`workers.dev` at Cloudflare), and whether a Worker answers there. */
import { Hono } from "hono";
import * as v from "valibot";
import { now } from "../clock.ts";
import type { Worker } from "../model.ts";
import { body, param } from "./body.ts";
import type { Api } from "./context.ts";
import { ok } from "./envelope.ts";
import { scriptAt } from "./lookups.ts";

const Enabled = v.object({ enabled: v.boolean(), previews_enabled: v.optional(v.boolean()) });
const Name = v.object({
  subdomain: v.pipe(v.string(), v.regex(/^[a-z0-9-]{1,63}$/, "must be lower-case letters, digits and '-'")),
});

export const subdomain = ({ account }: Api) => {
  const set = (name: string, enabled: boolean, previews?: boolean) =>
    account.change((draft): Worker["subdomain"] => {
      const worker = scriptAt(draft.state, name);
      const next = { enabled, previews_enabled: previews ?? enabled };
      return draft.put("workers", { ...worker, subdomain: next, updatedOn: now() }).subdomain;
    });
  return new Hono()
    .get("/subdomain", (c) => ok(c, { subdomain: account.identity.subdomain }))
    .put("/subdomain", async (c) => {
      const { subdomain } = await body(c, Name);
      await account.change((draft) => draft.put("identity", { ...account.identity, subdomain }));
      return ok(c, { subdomain });
    })
    .get("/scripts/:script/subdomain", (c) => ok(c, scriptAt(account.state, param(c, "script")).subdomain))
    .post("/scripts/:script/subdomain", async (c) => {
      const { enabled, previews_enabled } = await body(c, Enabled);
      return ok(c, await set(param(c, "script"), enabled, previews_enabled));
    })
    .delete("/scripts/:script/subdomain", async (c) => ok(c, await set(param(c, "script"), false, false)));
};
