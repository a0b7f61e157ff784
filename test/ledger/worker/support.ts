/** Calls of a ledger over HTTP, for its tests. */
import { env } from "cloudflare:workers";
import * as v from "valibot";
import { heard, type Told } from "../../../worker/ledger/told.ts";
import { ADMIN, call, unique } from "../../worker/helpers.ts";

/** A new ledger, and its object. */
export function aLedger(id: string = unique()) {
  const stub = env.ACCOUNT.getByName(`dev-eu:account:${id}`);
  const post = (what: string, json: unknown, headers: Record<string, string> = {}) =>
    call(`/account/${id}/${what}`, { json, headers });
  const get = async (what: string) => (await call(`/account/${id}/${what}`)).body;
  return {
    id,
    stub,
    post,
    get,
    transfer: (from: string, to: string, amount: unknown, headers?: Record<string, string>) =>
      post("transfer", { from, to, amount }, headers),
    deposit: (account: string, amount: number) => post("deposit", { account, amount }, ADMIN),
    balance: async (name: string) => v.parse(v.object({ balance: v.number() }), await get(`balances/${name}`)).balance,
    audit: () => get("audit"),
  };
}

/** Whether a change was made, by the answer of a ledger's object. */
export function isMade(told: Told): boolean {
  const once = heard(told);
  return "outcome" in once && once.outcome.ok;
}

/** A problem's answer. */
export const refused = (status: number, more: object = {}): object => ({
  status,
  body: { success: false, status, ...more },
});

/** What an audit says of a ledger that adds up. */
export const inOrder = { ok: true, total: 0, faults: [] };
