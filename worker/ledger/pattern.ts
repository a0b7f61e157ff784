/** Ledgers: what the rest of the house knows of them. Their class, binding and path have the article's names. */
import { pattern } from "../pattern.ts";
import { schema } from "./schema.ts";

export const ledger = pattern({
  folder: "ledger",
  name: "account",
  binding: "ACCOUNT",
  class: "AccountDO",
  path: "/account",
  schema,
  actions: {
    /** Out of an account. An account is the user's whose id is its name. */
    transfer: { may: "owner", open: true },
    /** An account's balance and transactions. */
    read: { may: "owner", open: true },
    /** All accounts together. */
    list: { may: "admin", open: true },
    deposit: { may: "admin" },
    withdraw: { may: "admin" },
    /** One that has no money. */
    delete: { may: "admin" },
    audit: { may: "admin", open: true },
  },
  limit: { policy: "account", onUnavailable: "deny" },
  settings: {},
});
