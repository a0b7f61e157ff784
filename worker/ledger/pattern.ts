/**
 * Ledgers: everything that the rest of the project knows about this pattern. Class, binding and path have the names of
 * the article (README.md).
 */
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
    /** Transfer out of an account. The user whose id is an account's name owns it. */
    transfer: { may: "owner", open: true },
    /** Read an account's balance and transactions; or the transactions of all accounts, which no user owns. */
    read: { may: "owner", open: true },
    /** Find a transfer that they are a party to; read what the ledger is kept in. */
    find: { may: "users", open: true },
    /** List all accounts with their balances. */
    list: { may: "admin", open: true },
    deposit: { may: "admin" },
    withdraw: { may: "admin" },
    /** Post or void what is held. */
    settle: { may: "admin" },
    reverse: { may: "admin" },
    /** Freeze an account, set its overdraft or the ledger's currency. */
    manage: { may: "admin" },
    /** Delete a ledger that has no money. */
    delete: { may: "admin" },
    export: { may: "admin" },
    audit: { may: "admin", open: true },
  },
  limit: { policy: "account", onUnavailable: "deny" },
  settings: {},
});
