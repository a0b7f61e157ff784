/** Calls of a ledger's routes, to check docs/access.md. */
import { unique } from "../../worker/helpers.ts";
import type { Tries } from "../../worker/tries.ts";

const at = (path: string) => `/account/${unique()}/${path}`;

export const tries: Tries = {
  "POST /account/transfer": (from) => ({ path: "/account/transfer", json: { from, to: "zoe", amount: 1 } }),
  "POST /account/:ledger/transfer": (from) => ({ path: at("transfer"), json: { from, to: "zoe", amount: 1 } }),
  "POST /account/:ledger/deposit": (account) => ({ path: at("deposit"), json: { account, amount: 1 } }),
  "POST /account/:ledger/withdraw": (account) => ({ path: at("withdraw"), json: { account, amount: 1 } }),
  "GET /account/:ledger/balances/:name": (name) => ({ path: at(`balances/${name}`) }),
  "GET /account/:ledger/balances": () => ({ path: at("balances") }),
  "GET /account/:ledger/transactions": (name) => ({ path: at(`transactions?account=${name}`) }),
  "GET /account/:ledger/transfers": () => ({ path: at("transfers?reference=order-1"), missing: true }),
  "GET /account/:ledger/transfers/:id": () => ({ path: at("transfers/1"), missing: true }),
  "POST /account/:ledger/transfers/:id/post": () => ({ path: at("transfers/1/post"), method: "POST", missing: true }),
  "POST /account/:ledger/transfers/:id/void": () => ({ path: at("transfers/1/void"), method: "POST", missing: true }),
  "POST /account/:ledger/transfers/:id/reverse": () => ({ path: at("transfers/1/reverse"), json: {}, missing: true }),
  "PUT /account/:ledger/accounts/:name": (name) => ({
    path: at(`accounts/${name}`),
    method: "PUT",
    json: { frozen: true },
  }),
  "GET /account/:ledger/export": () => ({ path: at("export") }),
  "GET /account/:ledger": () => ({ path: `/account/${unique()}` }),
  "PUT /account/:ledger": () => ({
    path: `/account/${unique()}`,
    method: "PUT",
    json: { currency: "EUR", minorUnits: 2 },
  }),
  "DELETE /account/:ledger": () => ({ path: `/account/${unique()}`, method: "DELETE" }),
  "GET /account/:ledger/audit": () => ({ path: at("audit") }),
};
