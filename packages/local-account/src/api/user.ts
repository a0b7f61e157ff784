/** `/user`, `/memberships`, `/accounts`: whose token this is. Clients ask before anything else. */
import { Hono } from "hono";
import type { Api } from "./context.ts";
import { ok, paged } from "./envelope.ts";

/** The account's only user. */
export const EMAIL = "you@localhost";

export const user = ({ account }: Api) => {
  const person = { id: account.identity.accountId, email: EMAIL, first_name: null, last_name: null };
  const self = {
    id: account.identity.accountId,
    name: "Local account",
    type: "standard",
    settings: {},
    created_on: account.identity.createdOn,
  };
  return new Hono()
    .get("/user", (c) => ok(c, person))
    .get("/user/tokens/verify", (c) => ok(c, { id: account.identity.accountId, status: "active" }))
    .get("/memberships", (c) =>
      paged(c, [{ id: self.id, status: "accepted", account: self, roles: ["Administrator"] }]),
    )
    .get("/accounts", (c) => paged(c, [self]))
    .get("/accounts/:account", (c) => ok(c, self));
};
