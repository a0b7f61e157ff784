/** Ledgers: what the rest of the house knows of them. Their class, binding and path have the article's names. */
import { pattern } from "../pattern.ts";

export const ledger = pattern({
  folder: "ledger",
  name: "account",
  binding: "ACCOUNT",
  class: "AccountDO",
  path: "/account",
  limit: { policy: "account", onUnavailable: "deny" },
  settings: {},
});
